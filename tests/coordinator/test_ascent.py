"""What the coordinator decides for exact rounds: it pays, it is certified, and it is remembered."""

import itertools

import msgspec
import numpy as np
import pytest
from bnpg_agents.learner import Learner
from bnpg_coordinator.ascent import REMEMBERED, Ascent, ascent_of
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.invitation import welcome
from bnpg_coordinator.line import GENESIS, Line, decode_line, encode_line, fields_of
from bnpg_coordinator.oracle import Oracle
from bnpg_protocol.wire.errors import OrderViolation
from msgspec import UNSET

from bnpg.lab.testing.in_memory import setup_of
from bnpg_math.theory.constants import sizes, smoothness
from bnpg_math.theory.stationarity import gradient_norm

GAME = "random(states=3, agents=3, actions=2, branching=2, gamma=0.8, seed=4)"
ROUNDS = 40
WAYS = [
    {"step_size": step_size, "direction": direction, "momentum": momentum}
    for step_size, direction, momentum in itertools.product(
        ("fixed", "backtracking", "barzilai-borwein"), ("gradient", "natural"), ("none", "nesterov")
    )
    if (step_size, momentum) != ("barzilai-borwein", "nesterov")
]
CHOSEN = [way for way in WAYS if way["step_size"] != "fixed" or way["momentum"] != "none"]


class Team:
    """Coordinator and agents without processes and messages."""

    def __init__(self, rounds: int = ROUNDS, lives: int = 10**9, **fields) -> None:
        fields = {"game": GAME, "dag": "0-2,1-2", "regularization": 0.1, "initial": "normal"} | fields
        self.setup = setup_of(Experiment(mode="exact", rounds=rounds, **fields))
        self.oracle = Oracle(self.setup.game, self.setup.dag, self.setup.experiment.regularization)
        learners = [Learner(welcome(self.setup, agent), {}) for agent in range(self.setup.game.agents)]
        self.tables, self.signals, self.lines, self.thetas = [], [], [], []
        ascent = ascent_of(self.setup, self.oracle)
        for round_ in range(rounds):
            if round_ and round_ % lives == 0:
                ascent = self.reborn()
            self.thetas.append([learner.snapshot(round_).table for learner in learners])
            self.tables.append([learner.table(round_) for learner in learners])
            signal, told = ascent.signal(round_, self.tables[-1])
            self.lines.append(Line(round_).holding(**told))
            self.signals.append(signal)
            stored = [learner.apply_flow(signal) for learner in learners]
            if round_ % 7 == 3:  # an agent that comes back reads what it stored
                learners = [
                    Learner(welcome(self.setup, agent), {round_ + 1: one}) for agent, one in enumerate(stored)
                ]
        self.thetas.append([learner.snapshot(rounds).table for learner in learners])
        self.tables.append([learner.table(rounds) for learner in learners])
        self.objectives = np.array([self.oracle.objective(tables) for tables in self.tables])

    def reborn(self) -> Ascent:
        """A coordinator that knows of the past what is on its disk."""
        recorded = tuple(decode_line(encode_line(line, 0.0, GENESIS)[0]) for line in self.lines)
        return ascent_of(msgspec.structs.replace(self.setup, recorded=recorded), self.oracle)

    def squares(self) -> np.ndarray:
        gradients = [self.oracle.climb(tables, natural=False).gradient for tables in self.tables]
        return np.square([gradient_norm(one) for one in gradients])


def beta(team: Team) -> float:
    return smoothness(sizes(team.setup.game, team.setup.dag), team.setup.experiment.regularization)


def test_plain_updates_are_announced_as_they_always_were() -> None:
    team = Team(rounds=3, learning_rate=0.7)
    for signal, line in zip(team.signals, team.lines, strict=True):
        assert (signal.occupancy.size, signal.step_size, signal.momentum, signal.retreat) == (
            0,
            0.0,
            0.0,
            False,
        )
        assert set(fields_of(line)) == {"round", "value"}


@pytest.mark.parametrize("learning_rate", [1e-9, 0.1, 1e9, "certified"])
@pytest.mark.parametrize("step_size", ["backtracking", "barzilai-borwein"])
def test_a_chosen_step_raises_the_objective_as_much_as_the_theorems_assume(step_size, learning_rate) -> None:
    team = Team(step_size=step_size, learning_rate=learning_rate)
    promised = team.squares()[:-1] / (2 * beta(team))
    assert (np.diff(team.objectives) >= promised - 1e-13).all()
    assert all(line.step_size >= 1 / beta(team) for line in team.lines)
    assert team.squares()[-1] < 1e-3 * team.squares()[0]


@pytest.mark.parametrize("step_size", ["backtracking", "barzilai-borwein"])
def test_a_chosen_natural_step_never_lowers_the_objective(step_size) -> None:
    team = Team(step_size=step_size, direction="natural")
    assert np.diff(team.objectives).min() >= -1e-13
    assert team.squares()[-1] < 1e-3 * team.squares()[0]


@pytest.mark.parametrize("learning_rate", [1.0, 1000.0])
def test_a_natural_team_on_the_complete_dag_leaves_a_bad_equilibrium_behind_at_any_step(
    learning_rate,
) -> None:
    """theta comes to differ by thousands in a row, and the probability of the good actions to underflow."""
    team = Team(
        rounds=60, game="penalty(k=-100)", dag="complete", direction="natural", regularization=0.0,
        initial="zeros", learning_rate=learning_rate,
    )  # fmt: skip
    values = [line.value * (1 - team.setup.game.gamma) for line in team.lines]
    assert np.diff(values).min() >= -1e-11
    assert 10.0 - values[-1] <= 220 / 59
    assert values[-1] == pytest.approx(10.0, rel=1e-3)


@pytest.mark.parametrize("step_size", ["fixed", "backtracking"])
@pytest.mark.parametrize("direction", ["gradient", "natural"])
def test_momentum_is_kept_as_long_as_it_pays(step_size, direction) -> None:
    rate = {"gradient": 5.0, "natural": 0.3}[direction]
    team = Team(step_size=step_size, momentum="nesterov", direction=direction, learning_rate=rate, rounds=120)
    retreats = [signal.retreat for signal in team.signals]
    assert any(retreats)
    assert not any(first and second for first, second in itertools.pairwise(retreats))
    at = [line.origin_objective for line in team.lines]
    if step_size == "backtracking":
        assert np.diff(at).min() >= -1e-13
        assert team.objectives.max() - team.objectives[-1] < 1e-4
    for signal, line in zip(team.signals, team.lines, strict=True):
        if signal.retreat:
            assert (signal.momentum, line.step_size, line.momentum_rounds) == (0.0, 0.0, 0)
            # Everybody is back where momentum came from: the objective is the one remembered.
            assert team.objectives[line.round + 1] == pytest.approx(line.origin_objective, abs=1e-13)


@pytest.mark.parametrize("way", CHOSEN, ids=lambda way: "-".join(way.values()))
def test_the_coordinator_sees_ahead_what_the_agents_then_reach(way) -> None:
    team = Team(**way, rounds=20)
    for round_, (signal, line) in enumerate(zip(team.signals, team.lines, strict=True)):
        if way["momentum"] == "none":
            climb = team.oracle.climb(team.tables[round_], way["direction"] == "natural")
            assert climb.objective_after(line.step_size) == pytest.approx(
                team.objectives[round_ + 1], abs=1e-12
            )
        elif not signal.momentum:
            assert line.origin_objective == pytest.approx(team.objectives[round_ + 1], abs=1e-12)


@pytest.mark.parametrize("way", CHOSEN, ids=lambda way: "-".join(way.values()))
def test_a_coordinator_that_comes_back_announces_the_same_bits(way) -> None:
    whole, broken = Team(**way), Team(**way, lives=3)
    assert whole.lines == broken.lines
    for one, other in zip(whole.thetas[-1], broken.thetas[-1], strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("way", CHOSEN, ids=lambda way: "-".join(way.values()))
def test_a_round_that_is_played_again_is_decided_again_as_it_was(way) -> None:
    team = Team(**way, rounds=6)
    ascent = ascent_of(team.setup, team.oracle)
    for round_ in (0, 0, 1, 2, 2, 2, 3, 4, 4, 5):
        signal, told = ascent.signal(round_, team.tables[round_])
        assert Line(round_).holding(**told) == team.lines[round_]
        assert (signal.step_size, signal.momentum) == (
            team.signals[round_].step_size,
            team.signals[round_].momentum,
        )


@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(way.values()))
def test_row_sums_of_theta_are_conserved_whatever_is_chosen(way) -> None:
    team = Team(**way)
    for first, last in zip(team.thetas[0], team.thetas[-1], strict=True):
        assert np.allclose(last.sum(axis=-1), first.sum(axis=-1), rtol=0, atol=1e-9)
        assert not np.allclose(last, first)


def test_a_run_record_without_the_round_before_is_refused() -> None:
    team = Team(rounds=3, step_size="backtracking")
    tampered = [msgspec.structs.replace(line, **dict.fromkeys(REMEMBERED, UNSET)) for line in team.lines]
    ascent = ascent_of(msgspec.structs.replace(team.setup, recorded=tuple(tampered)), team.oracle)
    with pytest.raises(OrderViolation, match="the line of round 1, in which the step size stands"):
        ascent.signal(2, team.tables[2])


def test_a_flat_objective_stays_where_it_is_and_ends() -> None:
    for way in CHOSEN:
        team = Team(
            **way, rounds=5, regularization=0.0, game="random(states=1, branching=1, agents=3, actions=1)"
        )
        assert all(np.isfinite(line.step_size) for line in team.lines)
        for first, last in zip(team.thetas[0], team.thetas[-1], strict=True):
            assert np.array_equal(first, last)
