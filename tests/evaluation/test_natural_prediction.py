"""Theorem B in the summary of a run, and natural steps that count as certified."""

import math

import numpy as np
import pytest

import bnpg
from bnpg.evaluation.prediction import prediction_in_words
from bnpg_math.arrays.joint import spread
from bnpg_math.games.file import save_game
from bnpg_math.games.game import dense_game
from bnpg_math.theory.global_optimality import natural_rounds

OPTIONS = {
    "mode": "exact", "direction": "natural", "evaluate_every": 1000, "launcher": "memory", "fsync": False,
}  # fmt: skip


def test_the_rounds_of_theorem_b_are_enough(tmp_path):
    game = bnpg.game("climbing")
    asked = natural_rounds(2, 9, game.reward_range, 0.0, 0.5, 0.02 * game.reward_range)
    rounds = math.ceil(asked)
    run = bnpg.train(
        "climbing", dag="complete", learning_rate=0.5, rounds=rounds, out=tmp_path / "a", **OPTIONS
    )
    row = run.summary["predicted_rounds"]["theorem_b"]["tight"]
    assert (row["rounds"], row["epsilon"]) == (asked, 0.02 * game.reward_range)
    assert run.summary["optimality_gap"] <= row["epsilon"]


def test_certified_natural_steps_make_both_terms_of_the_bound_equal(tmp_path):
    run = bnpg.train(
        "climbing", dag="0-1", learning_rate="certified", rounds=3, out=tmp_path / "a", **OPTIONS
    )
    game = bnpg.game("climbing")
    eta = run.summary["predicted_rounds"]["theorem_b"]["tight"]["step_size"]
    assert math.log(9) / eta == pytest.approx(2 * game.reward_range)


@pytest.mark.parametrize("additive", [True, False])
def test_a_sparse_graph_is_enough_where_the_game_is_additive_over_it(tmp_path, additive):
    rng = np.random.default_rng(0)
    pairs = [(0, 1), (1, 2)] + ([] if additive else [(0, 2)])
    reward = sum(spread(rng.normal(size=(1, 2, 2)), pair, 3) for pair in pairs)
    save_game(dense_game("pairs", np.ones((1, 2, 2, 2, 1)), reward, np.ones(1), 0.0), tmp_path / "pairs.npz")
    run = bnpg.train(
        tmp_path / "pairs.npz", dag="line", rounds=2, learning_rate=0.1, out=tmp_path / "run", **OPTIONS
    )
    assert (run.summary["predicted_rounds"] is not None) == additive


@pytest.mark.parametrize("changed", [{"initial": "normal"}, {"dag": "empty"}, {"momentum": "nesterov"}])
def test_other_runs_are_promised_nothing(tmp_path, changed):
    options = {"dag": "complete", "rounds": 2, "out": tmp_path / "a"} | OPTIONS | changed
    run = bnpg.train("climbing", **options)
    assert run.summary["predicted_rounds"] is None
    assert run.summary["predicted_rounds_reason"]


@pytest.mark.parametrize("changed", [{"dag": "empty"}, {"regularization": 0.1}, {"momentum": "nesterov"}])
def test_elsewhere_a_fixed_natural_step_is_not_certified(tmp_path, changed):
    options = {"dag": "complete", "rounds": 2, "learning_rate": "certified", "out": tmp_path / "a"} | OPTIONS
    with pytest.raises(bnpg.InputError, match="on the complete DAG with regularization 0"):
        bnpg.train("climbing", **(options | changed))


def test_a_promise_is_told_as_no_earlier_and_no_smaller_than_it_is():
    row = {"rounds": 1231.0, "epsilon": 0.123412}
    [told] = prediction_in_words({"theorem_1": {"tight": row}}, 7, as_assumed=True)
    assert told == "for a Nash gap of 0.1235 Theorem 1 asks for 1.24e+03 (tight) rounds, this run made 7"
