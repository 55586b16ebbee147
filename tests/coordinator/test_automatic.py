"""What `auto` stands for: steps in units of the returns, the same whatever the rewards are measured in."""

import math

import numpy as np
import pytest
from bnpg_coordinator.automatic import adam_epsilon, returns_range, settled
from bnpg_coordinator.experiment import Experiment
from hypothesis import given
from hypothesis import strategies as st

from bnpg.algorithm import learn
from bnpg.experiment_plan import plan_experiment
from bnpg_math.errors import InputError
from bnpg_math.games.file import save_game
from bnpg_math.games.game import Game
from bnpg_math.games.registry import game as find_game


def scaled(game: Game, factor: float) -> Game:
    return Game(game.name, game.transition, game.reward * factor, game.initial, game.gamma)


def test_the_range_of_the_returns_is_that_of_a_reward_for_ever() -> None:
    assert returns_range(find_game("climbing")) == 41.0
    assert math.isclose(returns_range(find_game("coordination")), find_game("coordination").reward_range * 20)
    assert returns_range(None) == 1.0
    assert returns_range(scaled(find_game("climbing"), 0.0)) == 1.0


def test_a_rate_that_was_chosen_leaves_everything_as_it_was() -> None:
    chosen = Experiment(game="climbing", learning_rate=0.1)
    assert settled(chosen, find_game("climbing")) is chosen
    assert not chosen.by_adam
    assert chosen.subtracted == "cross-fit"


@pytest.mark.parametrize("mode", ["sampled", "exact"])
def test_what_is_settled_is_settled(mode: str) -> None:
    game = find_game("congestion")
    once = settled(Experiment(game="congestion", mode=mode), game)
    assert isinstance(once.learning_rate, float)
    assert settled(once, game) == once
    assert once.steps_by == ("normalised" if mode == "sampled" else "ascent")
    assert once.step_size == ("fixed" if mode == "sampled" else "backtracking")


def test_an_optimizer_or_a_baseline_that_was_chosen_stays() -> None:
    game = find_game("climbing")
    kept = settled(Experiment(game="climbing", optimizer="ascent", baseline="none"), game)
    assert (kept.optimizer, kept.baseline, kept.by_adam) == ("ascent", "none", False)
    assert settled(Experiment(game="spread"), None).subtracted == "cross-fit"


@pytest.mark.parametrize(
    ("fields", "optimizer"),
    [
        ({"game": "climbing"}, "normalised"),
        ({"game": "climbing", "policy": "mlp:4"}, "adam"),
        ({"game": "relay"}, "adam"),
    ],
)
def test_tables_in_games_take_normalised_steps_and_all_others_adam(
    fields: dict[str, str], optimizer: str
) -> None:
    assert plan_experiment(fields).experiment.steps_by == optimizer


@pytest.mark.parametrize(
    ("fields", "baseline"),
    [
        ({"game": "climbing"}, "td"),
        ({"game": "climbing", "optimizer": "adam"}, "td"),
        ({"game": "climbing", "horizon": "geometric-visit"}, "centred"),
        ({"game": "climbing", "policy": "mlp:4"}, "centred"),
        ({"game": "climbing", "learning-rate": 0.1}, "cross-fit"),
        ({"game": "relay"}, "cross-fit"),
    ],
)
def test_tables_in_games_learn_from_temporal_differences(fields: dict[str, object], baseline: str) -> None:
    assert plan_experiment(fields).experiment.subtracted == baseline


@given(st.integers(-30, 30), st.sampled_from(["adam", "normalised", "ascent"]))
def test_a_team_learns_the_same_whatever_its_rewards_are_measured_in(exponent: int, optimizer: str) -> None:
    factor = 2.0**exponent
    plain, other = find_game("climbing"), scaled(find_game("climbing"), factor)
    assert adam_epsilon(other) == adam_epsilon(plain) * factor
    rates = [
        float(settled(Experiment(game="x", optimizer=optimizer), game).learning_rate)
        for game in (plain, other)
    ]
    assert rates[1] == (rates[0] / factor if optimizer == "ascent" else rates[0])


@pytest.mark.parametrize("factor", [2.0**-20, 2.0**20])
def test_a_run_comes_to_the_same_bits_in_other_units(tmp_path, factor: float) -> None:
    fields = {"rounds": 5, "lanes": 16, "dag": "line", "seed": 3}
    *_, plain = learn(Experiment(game="climbing", **fields))
    save_game(scaled(find_game("climbing"), factor), tmp_path / "other.npz")
    *_, other = learn(Experiment(game=str(tmp_path / "other.npz"), **fields))
    for one, another in zip(plain, other, strict=True):
        assert np.array_equal(one.theta["theta"], another.theta["theta"])
    assert np.abs(plain[0].theta["theta"]).max() > 0.1


def test_a_plan_says_the_numbers_that_it_came_to() -> None:
    plan = plan_experiment({"game": "climbing"})
    assert (plan.experiment.learning_rate, plan.experiment.optimizer) == (0.2, "normalised")
    again = plan_experiment({"game": "climbing", "learning-rate": 0.2, "optimizer": "normalised"})
    assert again.experiment.learning_rate == plan.experiment.learning_rate


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"game": "climbing", "mode": "exact"},
            "needs mode sampled: exact natural steps are direction natural",
        ),
        ({"game": "climbing", "policy": "mlp:4"}, "needs policy table, got mlp:4"),
        ({"game": "relay"}, "needs a number for learning-rate in a simulator"),
    ],
)
def test_natural_steps_are_refused_where_they_are_not_known(fields: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=f"optimizer natural {words}"):
        plan_experiment({"optimizer": "natural"} | fields)


def test_the_default_comes_where_the_exact_gradient_comes_and_adam_does_not() -> None:
    reached: dict[str, list[float]] = {}
    for optimizer in ("adam", "natural", "auto"):
        for seed in (1, 2):
            plan = plan_experiment(
                {
                    "game": "climbing",
                    "dag": "empty",
                    "optimizer": optimizer,
                    "learning-rate": "auto",
                    "seed": seed,
                }
            )
            assert plan.experiment.baseline == "td"
            *_, team = learn(plan.experiment)
            pi = [policy.table[0] for policy in team]
            payoff = find_game("climbing").reward[0]
            reached.setdefault(optimizer, []).append(float(pi[0] @ payoff @ pi[1]))
    assert min(reached["natural"]) > 0.98 * 7.0
    assert min(reached["auto"]) > 0.999 * 7.0
    assert max(reached["adam"]) < 6.1


@given(st.integers(-30, 30))
def test_natural_steps_are_in_units_of_the_returns_too(exponent: int) -> None:
    plain, factor = find_game("penalty"), 2.0**exponent
    rates = [
        settled(Experiment(game="penalty", optimizer="natural"), game).learning_rate
        for game in (plain, scaled(plain, factor))
    ]
    assert rates[1] == rates[0] / factor


def test_normalised_steps_are_refused_where_there_are_none() -> None:
    with pytest.raises(InputError, match="optimizer normalised needs mode sampled: exact steps"):
        plan_experiment({"game": "climbing", "mode": "exact", "optimizer": "normalised"})
    with pytest.raises(InputError, match="optimizer normalised needs policy table, got mlp:4"):
        plan_experiment({"game": "climbing", "policy": "mlp:4", "optimizer": "normalised"})
    assert plan_experiment({"game": "relay", "optimizer": "normalised"}).experiment.learning_rate == 0.2


def test_adam_is_refused_where_steps_are_exact() -> None:
    with pytest.raises(InputError, match="optimizer adam needs mode sampled"):
        plan_experiment({"game": "climbing", "mode": "exact", "optimizer": "adam"})
    with pytest.raises(InputError, match="schedule linear needs mode sampled"):
        plan_experiment({"game": "climbing", "mode": "exact", "schedule": "linear"})
