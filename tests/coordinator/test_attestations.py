"""What agents say they acted on is compared with what everybody told at first hand, before any signal."""

import numpy as np
import pytest
from bnpg_coordinator.attestations import Attestations
from bnpg_protocol.wire.errors import Equivocation, OrderViolation
from bnpg_protocol.wire.messages import ActionsAttested
from bnpg_protocol.wire.rows import RowsDigest

from bnpg_math.arrays import IntArray
from bnpg_math.dag import Dag, complete
from bnpg_math.dag.routes import relayed

TURNS, LANES = 3, 4


def played(dag: Dag, seed: int = 0) -> list[list[IntArray]]:
    """What everybody chose, by agent and turn."""
    drawn = np.random.default_rng(seed).integers(0, 3, (dag.agents, TURNS, LANES)).astype(np.uint8)
    return [list(mine) for mine in drawn]


def attested(
    dag: Dag, said: list[list[IntArray]], lies: dict[tuple[int, int, int, int], IntArray] | None = None
) -> Attestations:
    """Let everybody attest; `lies` are rows that came otherwise: (receiver, sender, whose, turn)."""
    found = Attestations(dag, [3] * dag.agents)
    for agent, heard in enumerate(relayed(dag).hears):
        digests = {sender: RowsDigest() for sender, _ in heard}
        for turn in range(TURNS):
            for sender, carried in heard:
                rows = [(lies or {}).get((agent, sender, one, turn), said[one][turn]) for one in carried]
                digests[sender].add(np.array(rows))
            values = np.frombuffer(b"".join(one.value for one in digests.values()), np.uint8)
            message = ActionsAttested(0, turn, said[agent][turn], values)
            assert found.note(agent, message, "here")
            assert not found.note(agent, message, "here")
    found.catch_up(said, 1)
    found.catch_up(said, TURNS)
    return found


@pytest.mark.parametrize("dag", [complete(5), Dag(4, [(2, 0), (2, 1), (0, 1), (3, 1)]), Dag(1)])
def test_what_is_true_passes(dag: Dag) -> None:
    attested(dag, played(dag)).check(7)


@pytest.mark.parametrize("turn", range(TURNS))
def test_a_lying_relay_and_who_was_lied_to_are_named_with_the_turn(turn: int) -> None:
    dag = complete(4)
    said = played(dag)
    lie = {(3, 2, 0, turn): 2 - said[0][turn]}
    expected = rf"agent 3 acted at round 7, turn {turn} .* agent 2 sent it of agents 0, 1, 2 .*; agent 2 or"
    with pytest.raises(Equivocation, match=expected):
        attested(dag, said, lie).check(7)


def test_a_parent_that_tells_its_child_something_else_is_named() -> None:
    dag = Dag(2, [(0, 1)])
    said = played(dag)
    with pytest.raises(Equivocation, match=r"what agent 0 sent it of agent 0 .* agent 0 or agent 1 lies"):
        attested(dag, said, {(1, 0, 0, 2): 2 - said[0][2]}).check(0)


def test_of_those_whom_a_lie_has_reached_the_first_in_the_order_of_the_graph_is_named() -> None:
    """Agent 0 lied to agent 1, which hands the lie on in good faith."""
    dag = complete(4)
    said = played(dag)
    other = 2 - said[0][1]
    lies = {(1, 0, 0, 1): other, (2, 1, 0, 1): other, (3, 2, 0, 1): other}
    with pytest.raises(Equivocation, match=r"agent 1 acted .*agent 0 or agent 1 lies"):
        attested(dag, said, lies).check(0)


def test_a_round_begins_with_nothing_said() -> None:
    dag = complete(3)
    said = played(dag)
    found = attested(dag, said, {(1, 0, 0, 0): 2 - said[0][0]})
    found.begin()
    found.catch_up(said, 0)
    found.check(1)


def test_an_agent_cannot_attest_two_things_nor_too_little() -> None:
    found = Attestations(complete(2), [2, 2])
    own = np.zeros(1, np.uint8)
    found.note(1, ActionsAttested(0, 0, own, np.zeros(16, np.uint8)), "round 0, turn 0")
    with pytest.raises(Equivocation, match="agent 1 attests two different things at round 0, turn 0"):
        found.note(1, ActionsAttested(0, 0, own, np.ones(16, np.uint8)), "round 0, turn 0")
    with pytest.raises(OrderViolation, match="with 15 bytes of digests at round 0, turn 1, expected 16"):
        found.note(1, ActionsAttested(0, 1, own, np.zeros(15, np.uint8)), "round 0, turn 1")


def test_rows_are_compared_by_what_they_say_not_by_how_wide_they_came() -> None:
    """Of agents with more than 256 actions rows are two bytes wide, whatever a sender uses."""
    dag = complete(2)
    found = Attestations(dag, [300, 2])
    digest = RowsDigest()
    digest.add(np.array([[7, 299]], np.uint16))
    value = np.frombuffer(digest.value, np.uint8)
    chosen = [np.array([7, 299], np.uint16)], [np.array([1, 0], np.uint8)]
    found.note(0, ActionsAttested(0, 0, chosen[0][0], value[:0]), "")
    found.note(1, ActionsAttested(0, 0, chosen[1][0], value), "")
    found.catch_up(chosen, 1)
    found.check(0)
