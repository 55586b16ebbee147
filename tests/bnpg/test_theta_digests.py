"""Results can be compared although nobody has all thetas: every agent reports the digest of its own."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from bnpg_agents.checkpoint import load_snapshots
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.wire.exit_codes import ExitCode

import bnpg
from bnpg.launchers.settings import Outcome
from bnpg.run_folder import RunFolder
from bnpg.summary import finish_summary

CASE: dict[str, Any] = {"rounds": 3, "lanes": 4, "horizon": 3, "initial": "normal", "dag": "line"}
GAME = "coordination(agents=3)"


def summary_of(folder: Path) -> dict[str, Any]:
    with_fence = Fence.raise_in(folder)
    try:
        return finish_summary(RunFolder(folder), Outcome(ExitCode.DONE, "", 4), with_fence)
    finally:
        with_fence.lower()


@pytest.mark.parametrize("more", [{}, {"policy": "direct", "mode": "exact", "initial": "zeros"}])
def test_a_summary_has_the_digest_of_every_theta(tmp_path: Path, more: dict[str, Any]) -> None:
    run = bnpg.train(GAME, **CASE | more, launcher="memory", out=tmp_path / "run")
    expected = [
        load_snapshots(Path(run.folder) / "agents" / f"agent-{agent}")[3].digest for agent in range(3)
    ]
    assert run.summary["theta_digests"] == expected
    assert "theta_digests_reason" not in run.summary


@pytest.mark.parametrize(
    "more", [{}, {"policy": "mlp:4", "update": "ppo", "initial": "zeros", "learning_rate": 0.01}]
)
def test_it_is_the_same_where_the_thetas_stay_on_other_hosts(
    start_run, tmp_path: Path, more: dict[str, Any]
) -> None:
    case = CASE | more
    remote = start_run(game=GAME, **case, settings={"transport": "tcp", "fsync": False})
    assert remote.wait() == ExitCode.DONE, remote.log
    shutil.rmtree(remote.folder / "agents")
    summary = summary_of(remote.folder)
    ran = bnpg.train(GAME, **case, launcher="memory", out=tmp_path / "here")
    here = dict(ran.summary)
    (ran.folder / "summary.json").unlink()
    assert summary_of(ran.folder)["theta_digests"] == here["theta_digests"], "told and held are the same"
    assert summary["theta_digests"] == here["theta_digests"]
    assert summary["policy_digest"] is None
    assert "as its agents told them" in summary["policy_digest_reason"]
    assert summary_of(remote.folder) == summary, "said again, it is the same"


def test_what_nobody_reported_is_null_with_its_reason(tmp_path: Path) -> None:
    run = bnpg.train(GAME, **CASE | {"rounds": 0}, launcher="memory", out=tmp_path / "run")
    shutil.rmtree(run.folder / "agents")
    (run.folder / "summary.json").unlink()
    summary = summary_of(Path(run.folder))
    assert summary["theta_digests"] is None
    assert "holds no theta of round 0" in summary["theta_digests_reason"]
