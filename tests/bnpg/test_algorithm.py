"""The algorithm in one file comes, by a way of its own, to the very bits of the machines."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from bnpg_coordinator.experiment import Experiment
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bnpg.algorithm import learn
from bnpg.lab.soak.simulate import simulate
from bnpg_math.errors import InputError
from bnpg_math.policies.joint import policy_digest

GAME = "random(agents=3, states=3, actions=3, branching=2, seed=4)"


def digest(experiment: Experiment) -> str:
    *_, team = learn(experiment)
    return policy_digest([policy.theta["theta"] for policy in team])


@settings(max_examples=40, deadline=None)
@given(
    dag=st.sampled_from(["empty", "line", "star", "complete", "2-0,0-1"]),
    horizon=st.sampled_from([1, 4, "geometric", "geometric-visit"]),
    sure=st.integers(0, 3),
    baseline=st.sampled_from(["cross-fit", "centred", "none"]),
    lanes=st.integers(1, 20),
    parts=st.integers(1, 3),
    initial=st.sampled_from(["zeros", "normal"]),
    seed=st.integers(0, 2**63 - 1),
)
def test_sampled_runs_are_those_of_the_machines(
    dag, horizon, sure, baseline, lanes, parts, initial, seed
) -> None:
    experiment = Experiment(
        game=GAME, dag=dag, horizon=horizon, baseline=baseline, lanes=lanes, parts=parts, initial=initial,
        seed=seed, rounds=3, learning_rate=0.4, regularization=0.05, evaluate_every=0,
        sure_steps=sure if horizon == "geometric" else 0,
    )  # fmt: skip
    assert digest(experiment) == simulate(experiment).digest


@pytest.mark.parametrize(
    ("dag", "direction", "rate"),
    list(itertools.product(["empty", "line", "complete"], ["gradient", "natural"], [0.5, "certified"])),
)
def test_exact_runs_are_those_of_the_machines(dag: str, direction: str, rate: float) -> None:
    experiment = Experiment(
        game=GAME, mode="exact", dag=dag, direction=direction, learning_rate=rate, initial="normal", seed=2,
        rounds=6, regularization=0.05, evaluate_every=0,
    )  # fmt: skip
    assert digest(experiment) == simulate(experiment).digest


@pytest.mark.parametrize("horizon", [4, "geometric"])
@pytest.mark.parametrize("optimizer", ["natural", "normalised"])
def test_turned_steps_from_samples_are_those_of_the_machines(optimizer: str, horizon: int | str) -> None:
    experiment = Experiment(
        game=GAME, dag="line", optimizer=optimizer, learning_rate=0.3, horizon=horizon, lanes=9, parts=2,
        rounds=4, regularization=0.05, evaluate_every=0,
    )  # fmt: skip
    assert digest(experiment) == simulate(experiment).digest
    assert digest(experiment) != digest(replace(experiment, optimizer="ascent"))


def test_every_theta_on_the_way_is_there() -> None:
    teams = list(learn(Experiment(game="climbing", rounds=4, lanes=8)))
    assert len(teams) == 5
    assert not teams[0][0].theta["theta"].any()
    assert all(
        not np.array_equal(one[1].theta["theta"], other[1].theta["theta"])
        for one, other in itertools.pairwise(teams)
    )


@pytest.mark.parametrize(
    "fields", [{"step_size": "backtracking"}, {"momentum": "nesterov"}, {"stop_at_epsilon": 0.1}]
)
def test_what_it_leaves_out_is_refused(fields: dict) -> None:
    with pytest.raises(InputError, match="steps of a fixed size"):
        next(learn(Experiment(game="climbing", mode="exact", **fields)))


def test_it_knows_no_message_and_no_machine() -> None:
    text = (Path(__file__).parents[2] / "bnpg" / "algorithm.py").read_text()
    for word in ("bnpg_protocol", "bnpg_agents", "bnpg_coordinator.rounds", "bnpg_coordinator.machine"):
        assert f"import {word}" not in text
        assert f"from {word}" not in text
