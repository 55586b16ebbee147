"""Means of episodes that were played: intervals that hold in any unit and behind any constant."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import bnpg
from bnpg.__main__ import main
from bnpg.evaluation.means import estimate

EPISODES = 100


def with_events(many: int) -> np.ndarray:
    returns = np.zeros(EPISODES)
    returns[:many] = 1.0
    return returns


@pytest.mark.parametrize("chance", [0.001, 0.01, 0.02, 0.03, 0.05, 0.1, 0.3, 0.5, 0.97])
def test_a_false_interval_is_as_seldom_as_it_says(chance: float) -> None:
    false = 0.0
    for many in range(1, EPISODES):
        found = estimate(with_events(many), 0.0)
        if not found.low <= chance <= found.high:
            false += float(stats.binom.pmf(many, EPISODES, chance))
    # By standard errors alone it is false in 20 % of all cases with 3 % of events.
    assert false <= 0.07


def test_of_many_that_differ_it_is_the_normal_approximation() -> None:
    returns = np.arange(100.0)
    found = estimate(returns, 0.0)
    width = 1.96 * returns.std(ddof=1) / 10.0
    assert (found.value, found.high - found.value) == (49.5, pytest.approx(width, rel=1e-3))


@pytest.mark.parametrize("places", [-1060, -700, -540, 0, 500, 990, 1016])
def test_its_width_is_the_same_in_any_unit(places: int) -> None:
    returns = np.arange(100.0)
    found, scaled = estimate(returns, 0.0), estimate(np.ldexp(returns, places), 0.0)
    back = [math.ldexp(one, -places) for one in (scaled.value, scaled.low, scaled.high)]
    assert back == pytest.approx([found.value, found.low, found.high], rel=1e-2 if places < -1000 else 1e-12)
    assert scaled.low < scaled.value < scaled.high


def test_returns_that_differ_by_rounding_only_are_alike() -> None:
    rng = np.random.default_rng(1)
    paid = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    sums = np.array([sum(rng.permutation(paid).tolist()) for _ in range(200)])
    off = 16 * 2.0**-53 * 2.1
    assert np.unique(sums).size > 1
    sums[0] -= 0.1
    found = estimate(sums, off)
    assert found.high >= sums[1] + 3.0 / 200 * 0.09, "others may be as unlucky"


SHIFTED = [(1e9, 2.0**-23, 0.9), (2.0**30, 2.0**-20, 0.9), (1e9, 2.0**-22, 0.5), (1.0, 2.0**-51, 0.9)]
TINY = [(0.0, 1e-200, 0.9), (0.0, 1e-320, 0.9)]


@pytest.mark.parametrize(("level", "more", "gamma"), [*SHIFTED, (3e9, 2.0**-20, 0.9), *TINY])
def test_what_an_agent_gains_is_in_its_interval_behind_any_constant_and_in_any_unit(
    level: float, more: float, gamma: float, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pay = np.full((1, 2, 2), level)
    pay[0, 1, :] += more
    game = bnpg.dense_game("shifted", np.ones((1, 2, 2, 1)), pay, np.ones(1), gamma)
    run = str(tmp_path / "run")
    bnpg.train(game, rounds=0, dag="0-1", out=run)
    capfd.readouterr()
    words = ["--agent", "0", "--rounds", "60", "--lanes", "128", "--episodes", "200", "--json", "--quiet"]
    assert main(["best-response", run, *words]) == 0
    (one,) = json.loads(capfd.readouterr().out)["agents"]
    gap = float(one["exact_gap"])
    assert gap == pytest.approx(0.5 * more / (1.0 - gamma), rel=1e-5, abs=1e-323)
    assert one["nash_gap_at_least"] <= gap
    assert level == 0.0 or gap <= one["high"] * (1.0 + 1e-6), "tables learn nothing from such small rewards"
    assert one["low"] < one["gain"] < one["high"]
