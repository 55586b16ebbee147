"""`bnpg report` writes one file that needs nothing else, or says in one line why it cannot."""

import json
import os
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bnpg.__main__ import main
from bnpg.report.recorded_run import read_run
from bnpg.report.reproduction import reproduction


def report(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capfd.readouterr()
    code = main(["report", *(str(one) for one in arguments)])
    out, err = capfd.readouterr()
    return int(code), out, err


def test_a_run_gets_its_report_in_its_folder_and_a_newer_one_replaces_it(
    exact_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        code, out, _ = report(capfd, exact_run, "--json")
        told = json.loads(out)
        assert code == 0
        assert told["file"] == str(exact_run / "report.html")
        assert told["bytes"] == (exact_run / "report.html").stat().st_size


def test_the_page_refers_to_nothing_outside_itself(
    exact_run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert report(capfd, exact_run, "--out", tmp_path / "page.html")[0] == 0
    page = (tmp_path / "page.html").read_text()
    outside = re.findall(r"""(?:src|href|action|url)\s*[=(]\s*["']?(?!#|data:)([^"'\s>)]+)""", page)
    assert [one for one in outside if "://" in one or one.startswith("//")] == []
    assert '<link rel="stylesheet"' not in page
    assert "default-src 'none'" in page


def test_a_name_that_is_markup_stays_text(exact_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "<script>alert(1)<b>"
    folder.symlink_to(exact_run)
    from bnpg.report.page import render_page
    from bnpg.report.run_page import run_report

    run = replace(read_run(folder), name=folder.name)
    identity = run.identity | {"game": "</script><img src=x onerror=alert(1)>"}
    page = render_page(run_report(replace(run, identity=identity)))
    assert "<img src=x" not in page
    assert "<script>alert" not in page


def test_what_is_missing_is_said_in_a_sentence(
    bare_run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert report(capfd, bare_run, "--out", tmp_path / "page.html")[0] == 0
    page = (tmp_path / "page.html").read_text()
    assert "was never evaluated exactly" in page
    assert "holds no theta that all agents have" in page
    assert 'id="chart-gaps"' not in page
    assert 'id="chart-value"' in page


def test_the_certificate_is_told_in_words(exact_run: Path) -> None:
    from bnpg.certified.words import rounded_up
    from bnpg.report.certificate import certificate_view

    certificate = json.loads((exact_run / "certificate.json").read_text())
    view = certificate_view(certificate)
    words = " ".join(view.words)
    epsilon = rounded_up(certificate["proved"][0]["epsilon"])
    assert f"ε = {epsilon}, by best responses, verified in exact arithmetic" in words
    assert "The lemmas promise nothing yet" in words
    assert len(view.rows) == 9
    forms = certificate["bounds"]["lemma_2"]
    forms["printed"] |= {"met": True, "holds": False}
    certificate["proved"].append({"claim": "epsilon-nash", "epsilon": 0.25, "by": "Lemma 2, tight form"})
    words = " ".join(certificate_view(certificate).words)
    assert "ε = 0.25, by Lemma 2, tight form: no agent can gain more" in words
    assert "Refuted here" in words
    assert "Lemma 2: Nash gap, printed form" in words
    assert certificate_view({"another": "version"}).rows == []


def test_what_a_certificate_promises_is_rounded_up_in_its_tables() -> None:
    from bnpg.report.certificate import certificate_view

    lemma = {"norm": "l2", "gradient": 0.123412, "threshold": 0.123412, "bound": 0.123412, "met": True}
    view = certificate_view(
        {
            "mismatch": 1.23411,
            "bounds": {"lemma_2": {"tight": lemma}},
            "predicted_rounds": {"theorem_1": {"tight": {"rounds": 1231.0, "epsilon": 0.123412}}},
        }
    )
    assert view.rows[0][3:7] == ["0.1234", "0.1234", "yes", "0.1235"]
    assert view.predictions[0][2:] == ["1.24e+03", "0.1235"]
    assert "M of the game is at most 1.235." in " ".join(view.words)


def test_a_run_without_a_single_line_has_a_report(
    exact_run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "early"
    folder.mkdir()
    for name in ("experiment.toml", "run.json", "launch.toml"):
        (folder / name).write_bytes((exact_run / name).read_bytes())
    assert report(capfd, folder)[0] == 0
    assert "it has no summary yet" in (folder / "report.html").read_text()


@pytest.mark.parametrize("torn", ["metrics.jsonl", "status.json", "certificate.json", "policy.npz"])
def test_a_torn_file_is_no_reason_to_fail(
    exact_run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], torn: str
) -> None:
    folder = tmp_path / "torn"
    folder.mkdir()
    for file in exact_run.iterdir():
        if file.is_file():
            content = file.read_bytes()
            (folder / file.name).write_bytes(content[: len(content) // 2] if file.name == torn else content)
    if not (folder / torn).exists():
        (folder / torn).write_text('{"half": ')
    assert report(capfd, folder)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["nowhere"], "nowhere does not exist; expected the folder of a run"),
        (["."], ". is not the folder of a run: it has no experiment.toml"),
        (["{run}", "{run}"], "a run is named twice"),
        (["{run}", "--out", "."], ". is a folder; expected the name of a file"),
        (["{run}", "--out", "there.html"], "there.html exists already"),
        (["{run}", "--out", "no/such/page.html"], "there is no folder"),
    ],
)
def test_bad_usage_is_one_line(
    exact_run: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    why: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.html").write_text("mine")
    code, out, err = report(capfd, *(one.format(run=exact_run) for one in arguments))
    assert (code, out) == (2, "")
    assert err.startswith("bnpg: error: ")
    assert why in err
    assert err.count("\n") == 1
    assert Path("there.html").read_text() == "mine"


def test_a_trace_with_a_file_whose_name_is_no_text_is_reported_as_one_that_cannot_be_shown(
    sampled_run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(sampled_run, tmp_path / "run")
    (tmp_path / "run" / "trace" / os.fsdecode(b"\xff.jsonl")).touch()
    code, _, err = report(capfd, tmp_path / "run")
    assert (code, err) == (0, "")
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert r"The trace cannot be shown: \udcff.jsonl is no file of a trace" in page
    capfd.readouterr()
    assert main(["resume", str(tmp_path / "run"), "--rounds", "8", "--quiet", "--launcher", "memory"]) == 0


@pytest.mark.parametrize("name", ["exact_run", "sampled_run", "certified_run"])
def test_the_command_in_the_report_gives_the_same_policy_again(
    name: str, request: pytest.FixtureRequest, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    again = reproduction(read_run(request.getfixturevalue(name)))
    words = shlex.split(again.command)
    assert words[0] == "bnpg"
    assert shlex.split(" ".join(again.words)) == words
    capfd.readouterr()
    extra = ["--launcher", "memory", "--no-fsync", "--quiet", "--json", "--out", str(tmp_path / "again")]
    assert main([*words[1:], *extra]) == 0
    found, run = json.loads(capfd.readouterr().out), read_run(request.getfixturevalue(name))
    assert found["policy_digest"] == again.digest
    assert run.summary is not None
    assert (found["rounds"], found["certified"]) == (run.summary["rounds"], run.summary["certified"])
    assert (found["rounds"] < run.experiment.rounds) == (name == "certified_run")
