"""Means of episodes that were played: an interval that holds, and no claim where it has no width."""

import json
from typing import Any

import numpy as np
import pytest
from scipy import stats

import bnpg
from bnpg.evaluation.played import half_width
from bnpg.report.recorded_run import read_run
from bnpg.summary import human_summary

EPISODES = 100


def with_events(many: int) -> np.ndarray:
    returns = np.zeros(EPISODES)
    returns[:many] = 1.0
    return returns


@pytest.mark.parametrize("chance", [0.001, 0.01, 0.02, 0.03, 0.05, 0.1, 0.3, 0.5, 0.97])
def test_a_false_interval_is_as_seldom_as_it_says(chance: float) -> None:
    false = 0.0
    for many in range(EPISODES + 1):
        width = half_width(with_events(many))
        if width and abs(many / EPISODES - chance) > width:
            false += float(stats.binom.pmf(many, EPISODES, chance))
    # By standard errors alone it is false in 20 % of all cases with 3 % of events.
    assert false <= 0.07


def test_of_many_that_differ_it_is_the_normal_approximation() -> None:
    returns = np.arange(100.0)
    assert half_width(returns) == pytest.approx(1.96 * returns.std(ddof=1) / 10.0, rel=1e-3)


def test_a_summary_says_that_all_returns_were_alike(tmp_path: Any) -> None:
    settings: dict[str, Any] = {"dag": "star", "rounds": 1, "steps": 2, "lanes": 4}
    run = bnpg.train("relay(agents=2, goals=1)", out=tmp_path / "run", **settings)
    summary = json.loads((run.folder / "summary.json").read_text())
    assert summary["return_mean"] == summary["drawn_return_mean"] == 1.0
    for prefix in ("", "drawn_"):
        assert summary[f"{prefix}return_low"] == summary[f"{prefix}return_high"] == 1.0
        assert "all 100 returns were alike" in summary[f"{prefix}return_interval_reason"]
    told = human_summary(read_run(run.folder).run, summary)
    assert "1.000   of 100 episodes nobody trained on, most probable actions, all alike" in told
    assert "1.000   of the same, actions drawn, all alike" in told
