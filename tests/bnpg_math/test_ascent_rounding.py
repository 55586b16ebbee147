"""What an update in doubles falls short of is never more than what is allowed for."""

from dataclasses import replace

import numpy as np
import pytest

from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import complete
from bnpg_math.exact.values import evaluate
from bnpg_math.games.registry import game as find_game
from bnpg_math.learning.step_size import backtrack
from bnpg_math.policies.softmax import policy, theta_shape
from bnpg_math.theory.ascent import ascent_rounding
from bnpg_math.theory.stationarity import gradients


@pytest.mark.parametrize("objective", [1.0, 1e5, 1e10])
def test_backtracking_accepts_no_fall_that_is_larger_than_what_is_allowed_for(objective: float) -> None:
    """The objective falls by 1e-16 of itself for each unit of the step."""
    start = find_game("climbing")
    game = replace(start, reward=start.reward / 41.0 + objective)
    eta, _ = backtrack(lambda step: objective * (1 - 1e-16 * step), objective, 1e-30, 8.0, 0.0)
    fall = objective * 1e-16 * eta
    assert 0.0 < fall <= ascent_rounding(game, complete(2), objective).rise <= 1e-11 * objective


@pytest.mark.parametrize("shift", [0.0, 2.0**20, 2.0**34])
def test_values_and_gradients_beside_a_constant_are_off_by_no_more(shift: float) -> None:
    """Every reward is exact, so all that differs is rounding."""
    plain, dag = find_game("coordination(agents=3)"), complete(3)
    shifted = replace(plain, reward=plain.reward + shift)
    rng = np.random.default_rng(3)
    for _ in range(10):
        tables = [
            policy(rng.normal(size=theta_shape(plain.states, plain.actions, dag.parents[agent], agent)))
            for agent in range(3)
        ]
        few, many = (evaluate(game, joint_policy(tables, dag)) for game in (plain, shifted))
        lost = ascent_rounding(shifted, dag, abs(many.value))
        assert abs(many.value - few.value - shift / (1 - plain.gamma)) <= lost.rise
        pairs = zip(gradients(plain, dag, tables, 0.1), gradients(shifted, dag, tables, 0.1), strict=True)
        off = np.sqrt(sum(float(((one - other) ** 2).sum()) for one, other in pairs))
        assert off <= lost.gradient
