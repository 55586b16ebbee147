"""`bnpg edges`, `train --from`, `train --dag learned` as a person meets them."""

import json
from pathlib import Path

import numpy as np
import pytest

import bnpg
from bnpg.__main__ import main

GAME = ["climbing3", "--lanes", "64", "--rounds", "8"]
MEMORY = ["--launcher", "memory", "--quiet", "--json"]


@pytest.fixture
def trained(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    out = tmp_path / "dense"
    assert main(["train", *GAME, "--dag", "complete", *MEMORY, "--out", str(out)]) == 0
    capfd.readouterr()
    return out


def printed(capfd: pytest.CaptureFixture[str]) -> dict:
    found: dict = json.loads(capfd.readouterr().out)
    return found


def test_values_and_a_proposal(trained: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["edges", str(trained), "--budget", "2", "--json", "--quiet", "--episodes", "500"]) == 0
    found = printed(capfd)
    assert [(one["parent"], one["child"]) for one in found["edges"]] == [(0, 1), (0, 2), (1, 2)]
    assert all(one["low"] <= one["value"] <= one["high"] for one in found["edges"])
    assert found["proposal"] == ",".join(f"{i}-{j}" for i, j in found["proposal_edges"])
    assert len(found["proposal_edges"]) == 2


def test_a_report_shows_them_on_the_drawn_dag_until_the_policy_changes(
    trained: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = trained / "edges.json"
    assert main(["report", str(trained)]) == 0
    assert 'class="worth"' not in (trained / "report.html").read_text()
    assert main(["edges", str(trained), "--quiet", "--json", "--episodes", "500"]) == 0
    document = json.loads(kept.read_text())
    assert (
        document.pop("policy_digest") == json.loads((trained / "summary.json").read_text())["policy_digest"]
    )
    assert document == json.loads(capfd.readouterr().out.splitlines()[-1])
    assert main(["report", str(trained)]) == 0
    page = (trained / "report.html").read_text()
    assert page.count('<text class="worth"') == 3
    assert "What each edge is worth" in page
    for broken in ("", "[]", '{"policy_digest": 3}', kept.read_text().replace('digest": "', 'digest": "0')):
        kept.write_text(broken)
        assert main(["report", str(trained)]) == 0
        assert 'class="worth"' not in (trained / "report.html").read_text()


def test_a_folder_in_the_place_of_their_file_is_one_line(
    trained: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (trained / "edges.json").mkdir()
    assert main(["edges", str(trained), "--quiet", "--episodes", "500"]) == 2
    assert "edges.json cannot be written: Is a directory" in capfd.readouterr().err


def test_in_words_with_the_command_that_follows(trained: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["edges", str(trained), "--episodes", "500"]) == 0
    told = capfd.readouterr().out
    assert "0 -> 1" in told
    assert f"bnpg train --from {trained} --dag " in told


def test_a_run_goes_on_from_another_one(trained: Path, tmp_path: Path, capfd) -> None:
    out = tmp_path / "on"
    assert main(["train", "--from", str(trained), "--rounds", "2", *MEMORY, "--out", str(out)]) == 0
    experiment = bnpg.load_run(out).experiment
    assert (experiment.game, experiment.dag, experiment.lanes) == ("climbing3", "0-1,0-2,1-2", 64)
    before = bnpg.load_run(trained).policy
    np.testing.assert_array_equal(bnpg.load_policy(out / "initial.npz").thetas[2], before.thetas[2])
    capfd.readouterr()


def test_on_a_smaller_graph_the_parent_is_summed_out(trained: Path, tmp_path: Path, capfd) -> None:
    digests = []
    for name in ("first", "again"):
        words = ["--from", str(trained), "--dag", "0-1", "--rounds", "2", *MEMORY]
        assert main(["train", *words, "--out", str(tmp_path / name)]) == 0
        digests.append(printed(capfd)["policy_digest"])
    assert digests[0] == digests[1]
    run = bnpg.load_run(tmp_path / "first")
    assert run.dag.edges == ((0, 1),)
    # The command that a report prints needs no other run: what it started from is in the folder.
    assert (run.folder / "initial.npz").exists()


def test_another_game_may_be_named_if_the_policy_fits(trained: Path, tmp_path: Path, capfd) -> None:
    words = ["climbing", "--from", str(trained), *MEMORY, "--out", str(tmp_path / "no")]
    assert main(["train", *words]) == 2
    assert "does not fit game climbing" in capfd.readouterr().err
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["train"], "Missing argument"),
        (
            ["train", "--from", "{trained}", "--initial", "zeros"],
            "begins with initial zeros or from another run",
        ),
        (["train", "--from", "nowhere"], "nowhere does not exist; expected the folder of a run"),
        (["train", "--from", "{trained}", "--dag", "0-7"], "edge 0-7 must join agents 0..2"),
        (["train", "climbing", "--budget", "1"], "give --dag learned too"),
        (["train", "climbing", "--dag", "learned", "--initial", "{trained}/no.npz"], "no.npz"),
        (["edges", "nowhere"], "nowhere does not exist; expected the folder of a run"),
        (["edges", "{trained}", "--episodes", "1"], "at least 2"),
    ],
)
def test_what_cannot_be_is_one_line(trained: Path, capfd, words: list[str], told: str) -> None:
    assert main([one.format(trained=trained) for one in words]) == 2
    said = capfd.readouterr().err
    assert told in said
    assert "Traceback" not in said


def test_a_name_that_is_taken_is_refused_before_the_complete_graph_is_trained(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    assert main(["train", *GAME, "--dag", "learned", *MEMORY, "--out", str(tmp_path / "mine")]) == 2
    assert "mine exists already and is never overwritten" in capfd.readouterr().err
    assert [left.name for left in tmp_path.iterdir()] == ["mine"]


def test_a_learned_graph_is_trained_pruned_and_trained_on(tmp_path: Path, capfd) -> None:
    found = []
    for launcher in ("memory", "local"):
        out = tmp_path / launcher
        words = [*GAME, "--dag", "learned", "--budget", "1", "--launcher", launcher, "--quiet", "--json"]
        assert main(["train", *words, "--out", str(out)]) == 0
        summary = printed(capfd)
        found.append((summary["policy_digest"], summary["dag"]))
        assert len(bnpg.load_run(out).dag.edges) == 1
        assert bnpg.load_run(out.with_name(f"{launcher}-dense")).dag.is_complete
    assert found[0] == found[1]


def test_a_simulator_has_values_of_edges_too(tmp_path: Path, capfd) -> None:
    out = tmp_path / "run"
    words = ["relay", "--dag", "0-1,0-2", "--lanes", "8", "--rounds", "2", "--steps", "20"]
    assert main(["train", *words, *MEMORY, "--out", str(out)]) == 0
    capfd.readouterr()
    assert main(["edges", str(out), "--json", "--quiet", "--episodes", "64"]) == 0
    found = printed(capfd)
    assert all("exact" not in one for one in found["edges"])
    assert len(found["edges"]) == 2
