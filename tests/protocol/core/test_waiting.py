"""For whom alone a process waits: who completed the turn before, as long as nothing else can be next."""

from collections.abc import Iterator
from typing import Any

import pytest
from bnpg_coordinator.experiment import Experiment
from bnpg_protocol import core
from msgspec import structs

from bnpg.lab.testing.in_memory import setup_of
from bnpg.lab.testing.lockstep import COORDINATOR, Team

pytestmark = pytest.mark.skipif(core.name() == core.PYTHON, reason="the core is not compiled here")

HORIZON = 6


def events(relay: bool = False, **settings: Any) -> Iterator[Team]:
    """Play a run in its order; yield its team after every message."""
    plain = {"game": "coordination(agents=3)", "dag": "line", "rounds": 4, "horizon": HORIZON}
    experiment = Experiment(**(plain | {"lanes": 1, "learning_rate": 0.5, "evaluate_every": 0} | settings))
    team = Team(structs.replace(setup_of(experiment, patience=1e9), relay=relay), compiled=True)
    while COORDINATOR not in team.stops:
        if not team.sent:
            team.now += 0.05
            for name in list(team.loops):
                team.look(name)
            continue
        team.arrive(team.sent.pop(0))
        yield team


def awaited(team: Team, name: str) -> Any:
    waiting: Any = team.loops[name]._core
    return waiting.awaited_last()


def test_the_coordinator_waits_for_who_acted_last_and_has_not_acted_yet() -> None:
    alone = 0
    for team in events():
        rounds = team.loops[COORDINATOR]._machine._rounds
        if awaited(team, COORDINATOR) is not None:
            assert awaited(team, COORDINATOR) == "agent-2#1"
            assert rounds._part == "steps"
            assert len(rounds._said[2]) == rounds.turn
            alone += 1
    assert alone > HORIZON


@pytest.mark.parametrize("relay", [False, True])
def test_an_agent_waits_for_its_parent_in_turns_that_the_round_before_had_and_for_nobody_after_them(
    relay: bool,
) -> None:
    alone = ends = 0
    for team in events(relay):
        rounds = team.loops["agent-1"]._machine._rounds
        if rounds is None or rounds._now is None:
            continue
        turn = len(rounds._now.chosen)
        if awaited(team, "agent-1") is not None:
            assert awaited(team, "agent-1") == "agent-0#1"
            assert turn < HORIZON
            assert len(rounds._now.heard[0]) == turn
            assert rounds._now.round > 0, "how long a round is shows when there was one"
            alone += 1
        ends += turn == HORIZON
        assert awaited(team, "agent-0") is None, "who has no parents waits for the coordinator"
    assert alone > HORIZON
    assert ends > 0


def test_where_rounds_differ_in_length_no_agent_foresees_their_end() -> None:
    lengths = set()
    for team in events(horizon="geometric", rounds=8, seed=1):
        rounds = team.loops["agent-1"]._machine._rounds
        if rounds is not None and rounds._previous is not None:
            lengths.add(len(rounds._previous.chosen))
            alone = awaited(team, "agent-1") is not None
            assert not (alone and len(lengths) > 1)
    assert len(lengths) > 1


def test_long_messages_are_read_as_they_come() -> None:
    """Then reading is worth more than sleeping: it is done while others still act."""
    for team in events(lanes=2048, rounds=2):
        assert awaited(team, COORDINATOR) is None
        assert awaited(team, "agent-1") is None
