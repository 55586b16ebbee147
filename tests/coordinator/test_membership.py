"""Membership: ids, incarnations, and the round the run goes on with."""

import pytest
from bnpg_coordinator.membership import Membership
from bnpg_protocol.process.security.admission import Admission
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.errors import OrderViolation
from bnpg_protocol.wire.messages import EdgesConfirmed, Hello, Reject
from hypothesis import given
from hypothesis import strategies as st

from bnpg_math.dag import Dag

DAG = Dag(3, ((2, 0), (0, 1)))


def greet(membership, agent, incarnation=1, held=(), origin=None, key="", **fields):
    given = {
        "versions": (2,),
        "agent": agent,
        "endpoint": f"inbox-{agent}#{incarnation}",
        "held": held,
        "experiment": "E" if held else "",
        "numerics": "F",
    } | fields
    hello = Hello(**given)
    envelope = Envelope("", 0, 0, agent, incarnation, 0, 0, 0, hello)
    return membership.greet(envelope, hello, origin or f"route-{agent}#{incarnation}", 0.0, key)


@pytest.fixture
def membership():
    return Membership(DAG, "E", "F")


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 5)), max_size=20))
def test_only_the_youngest_life_of_an_agent_is_a_member(greetings):
    membership = Membership(DAG, "E", "F")
    youngest = {}
    for agent, incarnation in greetings:
        answer = greet(membership, agent, incarnation)
        if incarnation >= youngest.get(agent, 0):
            assert answer == agent
            youngest[agent] = incarnation
        else:
            assert isinstance(answer, Reject)
            assert answer.code == "incarnation"
    assert {agent: member.incarnation for agent, member in membership.members.items()} == youngest
    assert membership.absent == [agent for agent in range(3) if agent not in youngest]
    assert membership.complete == (not membership.absent)


@given(st.permutations([0, 1, 2, -2, -2, -2]))
def test_agents_without_an_id_get_those_that_are_free(order):
    membership = Membership(DAG, "E", "F")
    given_ids = []
    for place, agent in enumerate(order):
        answer = greet(membership, agent, origin=f"connection {place}")
        if not isinstance(answer, Reject):
            given_ids.append(answer)
    assert sorted(given_ids) == [0, 1, 2]


@pytest.mark.parametrize(
    ("held", "base"),
    [
        ({0: (), 1: (), 2: ()}, 0),
        ({0: (4, 5), 1: (4, 5), 2: (4, 5)}, 5),
        ({0: (4, 5), 1: (5, 6), 2: (4, 5)}, 5),
        ({0: (5, 6), 1: (4, 5), 2: (5, 6)}, 5),
        ({0: (0, 1), 1: (), 2: (0, 1)}, 0),
        ({0: (4, 7, 8), 1: (2, 3, 4), 2: (4, 7, 8)}, 4),
        ({0: (4, 5, 8), 1: (4, 5, 6), 2: (3, 4, 5)}, 5),
        ({0: (4, 5, 8), 1: (4, 5, 6), 2: (4, 5, 6)}, 5),
    ],
)
def test_the_run_goes_on_with_the_newest_theta_that_everybody_holds(membership, held, base):
    for agent, rounds in held.items():
        greet(membership, agent, held=rounds)
    assert membership.base() == base


@pytest.mark.parametrize(
    ("held", "recorded", "odd"),
    [
        ({0: (4, 5), 1: (7, 8), 2: (4, 5)}, None, 1),
        ({0: (), 1: (3, 4), 2: (3, 4)}, None, 0),
        ({0: (7, 8), 1: (1, 2), 2: (4, 5)}, None, 0),
        ({0: (7, 8), 1: (1, 2), 2: (4, 5)}, 8, 1),
        ({0: (7, 8), 1: (1, 2), 2: (7, 8)}, 8, 1),
        ({0: (1, 2), 1: (7, 8), 2: (9, 10)}, 8, 0),
    ],
)
def test_a_theta_nobody_can_give_back_is_an_error_that_names_who_lacks_it(membership, held, recorded, odd):
    for agent, rounds in held.items():
        greet(membership, agent, held=rounds)
    with pytest.raises(OrderViolation, match=f"agent {odd} holds theta of"):
        membership.base(recorded=recorded)


def test_the_run_goes_on_no_later_than_its_record_ends(membership):
    for agent in range(3):
        greet(membership, agent, held=(4, 5, 6))
    assert [membership.base(recorded=recorded) for recorded in (9, 6, 5, 4)] == [6, 6, 5, 4]
    with pytest.raises(
        OrderViolation, match=r"round 3, where its record ends, but agent 0 .* lines were lost"
    ):
        membership.base(recorded=3)
    assert membership.base(restarts=True, recorded=3) == 0


def test_an_agent_learns_of_its_neighbours_only(membership):
    for agent in range(3):
        greet(membership, agent, incarnation=agent + 1)
    roster = membership.roster(0)
    assert roster.parents == ((2, 3),)
    assert roster.children == ((1, 2, "inbox-1#2"),)


def test_an_epoch_starts_when_every_agent_confirmed_exactly_its_edges(membership):
    for agent in range(3):
        greet(membership, agent)
    membership.neighbours()
    assert not membership.confirm(2, EdgesConfirmed((), (0,)))
    assert not membership.confirm(0, EdgesConfirmed((2,), (1,)))
    assert membership.unconfirmed() == [1]
    with pytest.raises(OrderViolation, match=r"agent 1 confirmed .* expected \(0,\) and \(\)"):
        membership.confirm(1, EdgesConfirmed((2,), ()))
    assert membership.confirm(1, EdgesConfirmed((0,), ()))
    membership.neighbours()
    assert membership.unconfirmed() == [0, 1, 2]


def test_a_key_is_no_other_agents_and_an_agent_has_no_other_key():
    membership = Membership(DAG, "E", "F", Admission({"key of 0": 0, "key of 1": 1}, {"enrolled"}))
    assert greet(membership, 1, key="key of 0") == Reject(
        "key", "the Hello of agent 0, who owns the key", "that of agent 1"
    )
    assert greet(membership, 1, key="enrolled") == Reject("key", "the key of agent 1", "another key")
    assert not membership.members
    assert greet(membership, -2, key="key of 1") == 1, "it has its id by its key"
    assert greet(membership, -2, key="enrolled", origin="another") == 2, "the only one that nobody owns"
