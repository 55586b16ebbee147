"""The world of one agent among others is a world, and its rounds are those of its team."""

from collections.abc import Sequence

import numpy as np
import pytest
from bnpg_coordinator.worlds.bundled.registry import SIMULATORS
from bnpg_coordinator.worlds.indexed import indexed
from bnpg_coordinator.worlds.interface import Discrete, Seen, World
from bnpg_coordinator.worlds.simulated import SimulatedWorld
from bnpg_coordinator.worlds.table import TableWorld

import bnpg
from bnpg.best_response.one_agent import OneAgentWorld, View, stream_of_others
from bnpg.conformance import check_world
from bnpg.evaluation import playing
from bnpg_math.arrays import IntArray
from bnpg_math.chance.streams import Purpose, uniforms
from bnpg_math.dag import Dag, complete
from bnpg_math.policies.encoding import Encoding
from bnpg_math.policies.softmax import initial_normal
from bnpg_math.policies.tabular import TabularSoftmax

WORLDS: dict[str, World] = {
    "a game": TableWorld(bnpg.game("random(agents=3, states=4, actions=3, branching=2)")),
    "episodes": indexed(SimulatedWorld(SIMULATORS["relay"](agents=3, goals=3, T=4), 1.0, 6), None),
}


def states_of(world: World, agent: int) -> int:
    space = world.spaces[agent]
    assert isinstance(space, Discrete)
    return space.values


def team_of(world: World, dag: Dag) -> list[TabularSoftmax]:
    shapes = [
        (states_of(world, i), *(world.actions[parent] for parent in dag.parents[i]), world.actions[i])
        for i in range(dag.agents)
    ]
    return [TabularSoftmax(initial_normal(5, agent, shape)) for agent, shape in enumerate(shapes)]


@pytest.mark.parametrize("network", [False, True], ids=["table", "network"])
@pytest.mark.parametrize("agent", [0, 1, 2])
@pytest.mark.parametrize("name", WORLDS)
def test_it_conforms(name: str, agent: int, network: bool) -> None:
    world, dag = WORLDS[name], complete(3)
    states, heard = states_of(world, agent), tuple(world.actions[parent] for parent in dag.parents[agent])
    view = View(network=Encoding(states, 0, heard)) if network else View(table=(states, *heard))
    check_world(OneAgentWorld(world, dag, team_of(world, dag), agent, view))


@pytest.mark.parametrize("agent", [0, 1, 2])
@pytest.mark.parametrize("name", WORLDS)
def test_an_agent_that_does_as_before_earns_as_before(name: str, agent: int) -> None:
    """To the bit, where it draws the same as it did in the team; the others draw from a stream of theirs."""
    world, dag = WORLDS[name], Dag(3, ((0, 1), (2, 1)))
    team = team_of(world, dag)
    shape = team[agent].table.shape
    alone = OneAgentWorld(world, dag, team, agent, View(table=shape[:-1]))
    single = TabularSoftmax(team[agent].theta["theta"].reshape(-1, shape[-1]))

    def rewards(played: World, graph: Dag, policies: Sequence[TabularSoftmax], learner: int):
        def choose(one: int, time: int, seen: Seen, parents: Sequence[IntArray]) -> IntArray:
            seed, address = (3, 0) if one == learner else (stream_of_others(3), one)
            drawn = uniforms(seed, Purpose.ACTIONS, address, 7, time, len(seen))
            return policies[one].draw(seen.by(one), parents, drawn)

        return [step.rewards for step in playing.steps(played, graph, choose, 3, 7, 40, 12)]

    np.testing.assert_array_equal(rewards(world, dag, team, agent), rewards(alone, Dag(1, ()), [single], 0))


def test_the_learner_and_the_others_draw_from_different_streams() -> None:
    """Alone it is agent 0 to the run: with the numbers of the team's agent 0 it would copy that unasked."""
    world, dag = WORLDS["a game"], Dag(3, ((0, 1),))
    table = (4, 3)
    alone = OneAgentWorld(world, dag, [TabularSoftmax(np.zeros((4, 3)))] * 3, 1, View(table=table))
    heard = alone.begin(0, 0, 4000).first.by(0) % 3
    drawn = TabularSoftmax(np.zeros((12, 3))).draw(
        alone.begin(0, 0, 4000).first.by(0), [], uniforms(0, Purpose.ACTIONS, 0, 0, 0, 4000)
    )
    assert abs(np.mean(heard == drawn) - 1 / 3) < 0.03
