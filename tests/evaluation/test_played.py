"""Returns of simulators in a summary: what is said of their interval, whatever an episode pays."""

import json
from pathlib import Path
from typing import Any

import pytest

import bnpg
from bnpg.__main__ import main
from bnpg.report.recorded_run import read_run
from bnpg.summary import human_summary

UNITS = """
import numpy as np
from gymnasium.spaces import Discrete
from pettingzoo import ParallelEnv


class Named(ParallelEnv):
    metadata = {"name": "named"}
    level, more = 0.0, 1.0

    def __init__(self):
        self.possible_agents = ["a", "b"]

    def observation_space(self, agent):
        return Discrete(2)

    def action_space(self, agent):
        return Discrete(2)

    def reset(self, seed=None, options=None):
        self.agents = list(self.possible_agents)
        self.right = int(np.random.default_rng(seed).integers(2))
        return dict.fromkeys(self.agents, 0), {agent: {} for agent in self.agents}

    def step(self, actions):
        agents, self.agents = self.agents, []
        pays = self.level + self.more * (actions["a"] == self.right)
        over = dict.fromkeys(agents, True)
        return dict.fromkeys(agents, 0), dict.fromkeys(agents, pays), over, dict.fromkeys(agents, False), {
            agent: {} for agent in agents
        }


class Shifted(Named):
    level, more = 1e9, 1e-4


class Tiny(Named):
    more = 1e-200


class Huge(Named):
    more = 1e160


class Alike(Named):
    level, more = 0.1, 0.0


class Beyond(Named):
    level, more = 1e305, 0.0
"""


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "units_of_pay.py").write_text(UNITS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return "units_of_pay"


def trained(units: str, name: str, capfd: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    """Return what the summary of a run without rounds holds, and what is told at its end."""
    words = ["train", f"{units}:{name}", "--dag", "0-1", "--rounds", "0", "--steps", "1", "--lanes", "2"]
    assert main([*words, "--launcher", "memory", "--out", "run"]) == 0
    told = capfd.readouterr()
    assert "Warning" not in told.err
    return json.loads(Path("run/summary.json").read_text()), told.out


@pytest.mark.parametrize(
    ("name", "level", "more"), [("Named", 0.0, 1.0), ("Tiny", 0.0, 1e-200), ("Huge", 0.0, 1e160)]
)
def test_the_interval_is_told_in_any_unit(
    units: str, name: str, level: float, more: float, capfd: pytest.CaptureFixture[str]
) -> None:
    summary, told = trained(units, name, capfd)
    assert summary["drawn_return_low"] < summary["drawn_return_mean"] < summary["drawn_return_high"]
    assert summary["drawn_return_low"] <= level + 0.5 * more <= summary["drawn_return_high"]
    assert "drawn_return_interval_reason" not in summary
    assert "of the same, actions drawn" in told


def test_returns_that_differ_beside_a_large_constant_are_not_said_to_be_alike(
    units: str, capfd: pytest.CaptureFixture[str]
) -> None:
    summary, _ = trained(units, "Shifted", capfd)
    assert summary["drawn_return_low"] <= 1e9 + 0.5e-4 <= summary["drawn_return_high"]
    assert "drawn_return_interval_reason" not in summary


def test_what_is_beyond_all_floats_is_null_with_a_reason(
    units: str, capfd: pytest.CaptureFixture[str]
) -> None:
    summary, _ = trained(units, "Beyond", capfd)
    assert summary["return_mean"] is summary["drawn_return_low"] is None
    assert "at most 1e+300 is compared" in summary["return_mean_reason"]
    assert main(["best-response", "run", "--agent", "0", "--rounds", "1", "--episodes", "64", "--quiet"]) == 9
    assert capfd.readouterr().err == (
        "bnpg: error: rewards of an episode add up to 1e+305: at most 1e+300 is compared\n"
    )


def test_a_summary_says_that_all_returns_were_alike(units: str, capfd: pytest.CaptureFixture[str]) -> None:
    summary, told = trained(units, "Alike", capfd)
    for prefix in ("", "drawn_"):
        assert summary[f"{prefix}return_low"] <= 0.1 <= summary[f"{prefix}return_high"]
        assert summary[f"{prefix}return_high"] - summary[f"{prefix}return_low"] < 1e-14
        assert "all 100 returns were alike" in summary[f"{prefix}return_interval_reason"]
    assert "0.100   of 100 episodes nobody trained on, most probable actions, all alike" in told
    assert "0.100   of the same, actions drawn, all alike" in told


def test_a_summary_without_ends_is_told_without_them(tmp_path: Path) -> None:
    run = bnpg.train("relay(agents=2, goals=1)", out=tmp_path / "run", dag="star", rounds=0, steps=2, lanes=4)
    path = run.folder / "summary.json"
    summary = json.loads(path.read_text()) | {"return_low": None, "return_high": None}
    del summary["return_interval_reason"]
    told = human_summary(read_run(run.folder).run, summary)
    assert "1.000   of 100 episodes nobody trained on, most probable actions\n" in told


@pytest.mark.parametrize(
    "command",
    ["play run", "edges run --episodes 64 --quiet", "best-response run --agent 1 --rounds 1 --quiet"],
)
def test_an_environment_that_raises_where_a_policy_is_measured_is_no_defect(
    units: str, command: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(units, "Named", capfd)
    import units_of_pay  # type: ignore[import-not-found]

    def step(self: Any, actions: Any) -> None:
        raise ValueError("out of paper")

    monkeypatch.setattr(units_of_pay.Named, "step", step)
    assert main(command.split()) == 9
    [line] = capfd.readouterr().err.splitlines()
    assert line.endswith("lane 0, step 0, all agents: the environment raised ValueError: out of paper")
    assert "run so far" not in line


def test_an_environment_that_raises_when_a_run_goes_on_is_said_to_raise(
    units: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(units, "Named", capfd)
    import units_of_pay

    def step(self: Any, actions: Any) -> None:
        raise ValueError("out of paper")

    with monkeypatch.context() as patched:
        patched.setattr(units_of_pay.Named, "step", step)
        assert main(["resume", "run", "--rounds", "1", "--quiet"]) == 9
        assert capfd.readouterr().err.endswith("the environment raised ValueError: out of paper\n")
        with pytest.raises(bnpg.RunFailed, match="out of paper") as failed:
            bnpg.resume("run", rounds=1)
        assert failed.value.code == 9
    assert main(["resume", "run", "--rounds", "1", "--quiet"]) == 0


def test_a_network_of_another_size_is_one_line(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    settings: dict[str, Any] = {"update": "ppo", "lanes": 4, "steps": 1, "rounds": 0, "dag": "line"}
    for hidden in (4, 5):
        bnpg.train(
            "relay",
            world="agents=2",
            policy=f"mlp:{hidden}",
            out=tmp_path / f"run-{hidden}",
            save_policy=True,
            **settings,
        )
    (tmp_path / "run-4" / "policy.npz").write_bytes((tmp_path / "run-5" / "policy.npz").read_bytes())
    capfd.readouterr()
    assert main(["play", str(tmp_path / "run-4")]) == 2
    [line] = capfd.readouterr().err.splitlines()
    assert "theta of agent 0, a network: expected a vector of" in line
