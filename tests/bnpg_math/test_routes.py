"""The links of a relay: every agent gets each parent's actions once, no later, and nobody else's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpg_math.dag import Dag, complete, empty, line, random_dag, star
from bnpg_math.dag.routes import messages_a_turn, relayed, saves_most


@st.composite
def dags(draw) -> Dag:
    seed = draw(st.integers(0, 2**32 - 1))
    return random_dag(draw(st.integers(1, 12)), draw(st.floats(0.0, 1.0)), np.random.default_rng(seed))


@given(dags())
def test_every_agent_gets_the_actions_of_each_parent_once_and_of_nobody_else(dag: Dag) -> None:
    for agent, heard in enumerate(relayed(dag).hears):
        brought = [one for _, carried in heard for one in carried]
        assert sorted(brought) == list(dag.parents[agent])


@given(dags())
def test_whoever_hands_actions_on_sees_them_anyway_and_is_awaited_anyway(dag: Dag) -> None:
    for agent, heard in enumerate(relayed(dag).hears):
        for sender, carried in heard:
            assert sender in dag.parents[agent]
            assert sender in carried
            assert set(carried) <= {sender, *dag.parents[sender]}


@given(dags())
def test_a_parent_is_heard_directly_only_if_no_direct_parent_hears_it(dag: Dag) -> None:
    routes, place = relayed(dag), {agent: at for at, agent in enumerate(dag.order)}
    for agent, heard in enumerate(routes.hears):
        direct = routes.parents[agent]
        for parent in dag.parents[agent]:
            relays = [sender for sender in direct if parent in dag.parents[sender]]
            by = next(sender for sender, carried in heard if parent in carried)
            assert by == (max(relays, key=place.__getitem__) if relays else parent)


@given(dags())
def test_actions_travel_no_more_hops_than_without(dag: Dag) -> None:
    assert Dag(dag.agents, relayed(dag).edges).depth == dag.depth


@given(dags())
def test_both_ends_know_of_the_same_links(dag: Dag) -> None:
    routes = relayed(dag)
    edges = {(sender, agent) for agent, senders in enumerate(routes.parents) for sender in senders}
    assert set(routes.edges) == edges <= set(dag.edges)
    assert {(agent, child) for agent, children in enumerate(routes.children) for child in children} == edges
    for agent, handed in enumerate(routes.hands):
        for child, carried in handed:
            assert (agent, carried) in routes.hears[child]


@pytest.mark.parametrize("agents", [2, 3, 8, 40])
def test_on_the_complete_graph_everybody_tells_the_next_one(agents: int) -> None:
    routes = relayed(complete(agents))
    assert routes.edges == line(agents).edges
    assert messages_a_turn(routes) == 3 * agents - 1
    assert routes.hears[-1] == ((agents - 2, tuple(range(agents - 1))),)


@pytest.mark.parametrize("dag", [empty(5), line(5), star(5), Dag(4, [(0, 1), (0, 2), (1, 3), (2, 3)])])
def test_where_nothing_can_be_handed_on_the_links_are_the_edges(dag: Dag) -> None:
    routes = relayed(dag)
    assert routes.edges == dag.edges
    assert not saves_most(dag)


def test_an_agent_that_is_no_child_is_not_shown_what_lies_on_its_way() -> None:
    """A transitive reduction would leave 0 -> 3 out, and show agents 1 and 2 what only 1 and 3 may see."""
    dag = Dag(4, [(0, 1), (1, 2), (2, 3), (0, 3)])
    assert relayed(dag).edges == dag.edges


def test_a_parent_that_is_itself_handed_on_hands_nothing_on() -> None:
    """1 is heard through 2, so 1 sends 3 nothing: what 0 chose must come directly, as 2 is no child of 0."""
    dag = Dag(4, [(0, 1), (1, 2), (0, 3), (1, 3), (2, 3)])
    assert relayed(dag).hears[3] == ((0, (0,)), (2, (1, 2)))


def test_it_saves_most_of_the_messages_from_nine_agents_on() -> None:
    assert [saves_most(complete(agents)) for agents in (2, 8, 9, 62)] == [False, False, True, True]
