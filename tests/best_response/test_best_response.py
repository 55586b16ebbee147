"""`bnpg best-response`: a lower bound of a Nash gap, from training alone and episodes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bnpg_protocol.wire.exit_codes import ExitCode

import bnpg
from bnpg.__main__ import main
from bnpg.best_response.document import as_json, as_text
from bnpg.best_response.training import Response
from bnpg.evaluation import episodes
from bnpg.evaluation.means import Estimate

SMALL = ["--rounds", "60", "--lanes", "128", "--episodes", "2000", "--quiet"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def responses(capfd: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capfd.readouterr()
    assert main(["best-response", "run", *SMALL, "--json", *words]) == 0
    found: dict[str, Any] = json.loads(capfd.readouterr().out)
    return found


@pytest.mark.parametrize(
    ("game", "settings"),
    [
        ("climbing", {"dag": "line", "rounds": 0}),
        ("climbing", {"dag": "empty", "rounds": 40}),
        (
            "random(agents=3, states=3, actions=2, branching=2)",
            {"dag": "0-2,1-2", "rounds": 3, "baseline": "centred"},
        ),
        ("climbing", {"dag": "line", "policy": "mlp:8", "update": "ppo", "rounds": 1}),
    ],
)
def test_where_the_gap_is_known_what_was_found_is_in_its_interval_and_never_claims_more(
    game: str, settings: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    run = bnpg.train(game, lanes=64, out="run", **settings)
    # Tables move by a fifth of a logit a round, so they are given the rounds of the default.
    found = responses(capfd, *(() if "policy" in settings else ("--rounds", "200")))["agents"]
    assert [one["agent"] for one in found] == list(range(run.dag.agents))
    for one in found:
        assert one["nash_gap_at_least"] == max(0.0, one["low"])
        assert one["nash_gap_at_least"] <= one["exact_gap"] + 1e-12
        assert one["high"] >= 0.6 * one["exact_gap"], "most of it is found in games as small as these"
    assert max(one["exact_gap"] for one in found) == pytest.approx(run.evaluate().nash_gap, rel=1e-6)


def waiting() -> bnpg.Game:
    """Return a game in which 8 at once is little more than 10 three steps later."""
    moves, pay = np.zeros((5, 2, 2, 5)), np.zeros((5, 2, 2))
    for state, following in ((0, 1), (1, 2), (2, 3), (3, 4), (4, 4)):
        moves[state, :, :, following] = 1.0
    moves[0, 1] = np.eye(5)[4]
    pay[0, 1], pay[3] = 8.0, 10.0
    return bnpg.dense_game("waiting", moves, pay, np.eye(5)[0], 0.9)


def test_what_is_paid_after_the_cut_is_allowed_for(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    bnpg.train(waiting(), rounds=0, out="run")
    monkeypatch.setattr(episodes, "MOST_STEPS", 2)
    (one,) = responses(capfd, "--agent", "0")["agents"]
    assert one["gain"] == pytest.approx(4.0, abs=0.3), "of two steps"
    assert one["exact_gap"] == pytest.approx((8.0 - 7.29) / 2.0)
    assert one["nash_gap_at_least"] <= one["exact_gap"] <= one["high"]


def test_of_episodes_that_were_cut_the_gap_is_one_of_the_steps_that_were_played(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    bnpg.train("relay", world="agents=2, T=3", rounds=0, lanes=128, steps=3, dag="line", out="run")
    (whole,) = responses(capfd, "--agent", "1")["agents"]
    assert "nash_gap_at_least_reason" not in whole
    monkeypatch.setattr("bnpg.best_response.training.longest", lambda _: 2)
    (one,) = responses(capfd, "--agent", "1")["agents"]
    assert one["nash_gap_at_least_reason"].startswith("of the first 2 steps of an episode: 4")
    assert main(["best-response", "run", *SMALL, "--agent", "1"]) == 0
    assert "The gaps are those of the first 2 steps of an episode" in capfd.readouterr().out
    assert main(["report", "run"]) == 0
    assert "The gaps are those of the first 2 steps of an episode" in Path("run/report.html").read_text()


def test_a_simulators_agent_that_should_listen_gains_by_it(capfd: pytest.CaptureFixture[str]) -> None:
    """Agent 0 tosses dice for one of four goals; its child does best to repeat it: 1/4 instead of 1/16."""
    bnpg.train("relay", world="agents=2", rounds=0, lanes=128, steps=1, dag="line", out="run")
    (one,) = responses(capfd, "--agent", "1")["agents"]
    assert one["agent"] == 1
    assert "exact_gap" not in one
    assert one["low"] <= 1 / 4 - 1 / 16 <= one["high"]


def test_networks_of_a_simulator_are_answered_by_a_network(capfd: pytest.CaptureFixture[str]) -> None:
    settings: dict[str, Any] = {"policy": "mlp:16", "update": "ppo", "lanes": 128, "steps": 1, "dag": "line"}
    bnpg.train("relay", world="agents=2, goals=2", rounds=2, out="run", **settings)
    found = responses(capfd)["agents"]
    assert all(one["low"] <= 0.6 for one in found)
    assert max(one["high"] for one in found) > 0.2


def test_in_words(capfd: pytest.CaptureFixture[str]) -> None:
    bnpg.train("climbing", rounds=1, lanes=64, out="run")
    capfd.readouterr()
    assert main(["best-response", "run", *SMALL, "--agent", "1"]) == 0
    told = capfd.readouterr().out
    assert "Nash gap at least   by the model" in told
    assert "this is no certificate" in told


def test_a_lower_bound_is_never_rounded_up(capfd: pytest.CaptureFixture[str]) -> None:
    found = Response(0, Estimate(0.5, 0.123489, 0.9), 2000, 60, 0.7)
    row = as_text([found], "climbing").splitlines()[3]
    assert row.split()[-2:] == ["0.1234", "0.7"]
    bnpg.train("climbing", rounds=1, lanes=64, out="run")
    document = {"policy_digest": json.loads(Path("run/summary.json").read_text())["policy_digest"]}
    Path("run/best-response.json").write_text(json.dumps(document | as_json([found])))
    assert main(["report", "run"]) == 0
    assert "<td>0.1234</td>" in Path("run/report.html").read_text()


def test_an_agent_that_is_none_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    bnpg.train("climbing", rounds=1, lanes=64, out="run")
    capfd.readouterr()
    assert main(["best-response", "run", *SMALL, "--agent", "2"]) == 2
    assert capfd.readouterr().err == "bnpg: error: agent must be in 0..1, got 2\n"


def test_a_report_shows_it_beside_the_exact_gap_until_the_policy_changes(
    capfd: pytest.CaptureFixture[str],
) -> None:
    bnpg.train("climbing", rounds=1, lanes=64, out="run")
    kept = Path("run/best-response.json")
    found = responses(capfd)
    document = json.loads(kept.read_text())
    assert document.pop("policy_digest") == json.loads(Path("run/summary.json").read_text())["policy_digest"]
    assert document == found
    assert main(["report", "run"]) == 0
    page = Path("run/report.html").read_text()
    assert "What one agent gains alone" in page
    assert f"{found['agents'][1]['nash_gap_at_least']:.2f}"[:3] in page
    kept.write_text(kept.read_text().replace('"policy_digest": "', '"policy_digest": "0'))
    assert main(["report", "run"]) == 0
    assert "What one agent gains alone" not in Path("run/report.html").read_text()


def test_a_file_in_its_place_that_is_none_is_passed_over(capfd: pytest.CaptureFixture[str]) -> None:
    bnpg.train("climbing", rounds=1, lanes=64, out="run")
    for content in ("", "[]", '{"policy_digest": 3}', "{" * 5000):
        Path("run/best-response.json").write_text(content)
        assert main(["report", "run"]) == 0


def test_a_folder_that_takes_no_file_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    bnpg.train("climbing", rounds=1, lanes=64, out="run")
    Path("run/best-response.json").mkdir()
    capfd.readouterr()
    assert main(["best-response", "run", *SMALL, "--agent", "0"]) == 2
    assert "run/best-response.json cannot be written" in capfd.readouterr().err


ENDED_AT_ONCE = """
from bnpg_protocol.process.asked_to_end import _leave
from bnpg.__main__ import main
from bnpg.best_response import training


def leaves(run, *arguments, **given):
    assert run.path.exists()
    _leave()


training.run_to_the_end = leaves
main(["best-response", "run"])
"""


def test_nothing_is_left_of_a_response_whose_process_ends_in_the_midst_of_it(tmp_path: Path) -> None:
    bnpg.train("climbing", rounds=1, lanes=4, out="run")
    passing = tmp_path / "passing"
    passing.mkdir()
    ended = subprocess.run(
        [sys.executable, "-c", ENDED_AT_ONCE],
        env=os.environ | {"TMPDIR": str(passing)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == ExitCode.INTERRUPTED, ended.stderr
    assert "in the midst of something" in ended.stderr
    assert list(passing.iterdir()) == []
