"""What is a policy and what is a world passes; each way of not being one is told."""

import numpy as np
import pytest
from bnpg_coordinator.worlds.interface import Discrete, Seen
from bnpg_coordinator.worlds.table import TableWorld

from bnpg.conformance import NotConforming, check_policy, check_world
from bnpg.lab.testing.fakes import welcome
from bnpg_math.games.registry import game
from bnpg_math.policies.encoding import Encoding
from bnpg_math.policies.network import NetworkPolicy, initial_network
from bnpg_math.policies.tabular import TabularSoftmax
from tests.simulation.networks import Counter, CounterPlay, Network, network

FAMILY = {"states": 3, "parents": (2,), "actions": 4}


def table(regularization: float = 0.3) -> TabularSoftmax:
    return TabularSoftmax(np.random.default_rng(0).normal(size=(3, 2, 4)), regularization)


@pytest.mark.parametrize("policy", [table(), table(0.0)])
def test_a_table_is_a_policy(policy: TabularSoftmax) -> None:
    check_policy(policy, **FAMILY)


def test_a_network_is_a_policy() -> None:
    invited = welcome(1, states=3, parents=(0,), parent_actions=(2,), actions=4, regularization=0.2)
    check_policy(network(invited), **FAMILY)


def perceptron(kind: type[NetworkPolicy] = NetworkPolicy) -> NetworkPolicy:
    drawn = initial_network(3, 1, Encoding(0, 2, (2,)), (5,), 4)
    return kind(drawn.theta, drawn.encoding, drawn.hidden, drawn.actions)


NUMBERS = {"states": 0, "parents": (2,), "actions": 4, "seen": np.random.default_rng(2).normal(size=(9, 2))}


def test_a_perceptron_is_a_policy() -> None:
    check_policy(perceptron(), **NUMBERS)


class Forgetful(NetworkPolicy):
    """What goes back is half of what should."""

    def backpropagate(self, seen, parents, legal, pull):
        found = super().backpropagate(seen, parents, legal, pull)
        return {name: array / 2 for name, array in found.items()}

    def gradient(self, seen, parents, actions, weights, legal=None):
        return perceptron().at(self.theta).gradient(seen, parents, actions, weights, legal)


class Unmasked(NetworkPolicy):
    def log_pi(self, seen, parents, legal=None):
        return super().log_pi(seen, parents)


@pytest.mark.parametrize(
    ("kind", "why"),
    [(Forgetful, r"the gradient in 0\.weight\[0, 0\] must be"), (Unmasked, "-inf for what may not be taken")],
)
def test_what_no_critic_can_teach_is_named(kind: type[NetworkPolicy], why: str) -> None:
    with pytest.raises(NotConforming, match=why):
        check_policy(perceptron(kind), **NUMBERS)


class Remembering(TabularSoftmax):
    calls = 0

    def draw(self, seen, parents, uniforms):
        self.calls += 1
        return (super().draw(seen, parents, uniforms) + (self.calls > 1)) % 4


class Batched(TabularSoftmax):
    def draw(self, seen, parents, uniforms):
        return super().draw(seen, parents, np.roll(uniforms, 1))


class Steep(TabularSoftmax):
    def gradient(self, seen, parents, actions, weights):
        return {"theta": 2.0 * super().gradient(seen, parents, actions, weights)["theta"]}


class Squared(TabularSoftmax):
    def gradient(self, seen, parents, actions, weights):
        return super().gradient(seen, parents, actions, weights**2)


class Writing(TabularSoftmax):
    def gradient(self, seen, parents, actions, weights):
        found = super().gradient(seen, parents, actions, weights)
        self.theta = {"theta": self.theta["theta"] + 0.0, "more": np.zeros(1)}
        return found | {"more": np.zeros(1)}


class Wide(TabularSoftmax):
    def draw(self, seen, parents, uniforms):
        return super().draw(seen, parents, uniforms) + 1


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Remembering, "the same for the same theta"),
        (Batched, "must draw alone what they draw together"),
        (Steep, r"the gradient in theta\[0, 0, 0\] must be"),
        (Squared, "must be linear in the weights"),
        (Writing, "may change its theta"),
        (Wide, r"actions in 0\.\.3"),
    ],
)
def test_what_is_no_policy_is_told(kind: type[TabularSoftmax], why: str) -> None:
    policy = kind(table().theta["theta"], 0.1)
    policy.at = lambda theta: policy if kind is Remembering else kind(theta["theta"], 0.1)
    with pytest.raises(NotConforming, match=why):
        check_policy(policy, **FAMILY)


@pytest.mark.parametrize(
    "name", ["climbing", "coordination(agents=3)", "random(agents=2, states=5, actions=3)"]
)
def test_a_game_is_a_world(name: str) -> None:
    check_world(TableWorld(game(name)))


def test_a_world_by_rule_is_a_world() -> None:
    check_world(Counter())


class Drifting(Counter):
    """Draws its numbers one after the other, so a replay meets others."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)

    def begin(self, seed, round_, lanes):
        play = CounterPlay(seed, round_, lanes)
        play._uniforms = lambda time, lane, count, purpose: self._rng.random(count)
        return play


class Together(Counter):
    """Forgets which lanes a part has."""

    def begin(self, seed, round_, lanes):
        play = CounterPlay(seed, round_, lanes)
        addressed = play._uniforms
        play._uniforms = lambda time, lane, count, purpose: addressed(time, 0, count, purpose)
        return play


class Narrow(Counter):
    spaces = (Discrete(7), Discrete(3))


class Writable(Counter):
    def begin(self, seed, round_, lanes):
        play = CounterPlay(seed, round_, lanes)
        play.first = Seen(play.first.of.copy())
        return play


class Endless(Counter):
    def begin(self, seed, round_, lanes):
        play = CounterPlay(seed, round_, lanes)
        play.rewards = lambda: [np.full(len(states), np.inf) for states, _ in play._taken]
        return play


@pytest.mark.parametrize(
    ("world", "why"),
    [
        (Drifting(), "must be the same when it is replayed"),
        (Together(), "lanes in parts"),
        (Narrow(), r"agent 1 must see states in 0\.\.2"),
        (Writable(), "must be read-only"),
        (Endless(), "rewards must be finite"),
    ],
)
def test_what_is_no_world_is_told(world: Counter, why: str) -> None:
    with pytest.raises(NotConforming, match=why):
        check_world(world)


def test_they_need_no_test_framework() -> None:
    import subprocess
    import sys

    code = (
        "import sys, bnpg.conformance; print({'pytest', 'hypothesis', 'zmq', 'bnpg.lab'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_network_has_several_arrays() -> None:
    assert sorted(network(welcome(0)).theta) == ["bias", "first", "second"]
    assert isinstance(network(welcome(0)).at(network(welcome(0)).theta), Network)
