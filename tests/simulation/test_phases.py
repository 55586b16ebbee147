"""The machines are their tables, and say what had happened when something is wrong between two events."""

from typing import Any

import pytest
from bnpg_agents.machine import AgentMachine
from bnpg_agents.phases import INVITATIONS
from bnpg_agents.phases import PHASES as OF_AGENT
from bnpg_agents.rounds import AgentRounds
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.machine import CoordinatorMachine
from bnpg_coordinator.phases import PHASES as OF_COORDINATOR
from bnpg_coordinator.rounds import CoordinatorRounds
from bnpg_protocol.process.history import KEPT, History
from bnpg_protocol.process.loop import Loop
from bnpg_protocol.process.phases import Phases, drawn
from bnpg_protocol.process.transport.interface import Arrival
from bnpg_protocol.wire.codec import encode
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.links import Links
from bnpg_protocol.wire.messages import Beacon, Hello, Start

from bnpg.lab.soak.simulate import simulate
from bnpg.lab.testing.in_memory import setup_of
from bnpg.lab.testing.stages import AgentStage

TABLES = [(AgentMachine, OF_AGENT), (CoordinatorMachine, OF_COORDINATOR)]
SMALL = Experiment(game="random(agents=2, states=2, actions=2, branching=2)", rounds=2, lanes=2, horizon=2)


@pytest.mark.parametrize(("machine", "phases"), TABLES)
def test_every_rule_names_a_method_and_phases_that_there_are(machine: type, phases: Phases) -> None:
    for name, phase in phases.items():
        assert phase.leads <= set(phases), name
        for rule in phase.rules.values():
            assert callable(getattr(machine, rule.method)), rule


@pytest.mark.parametrize(("machine", "phases"), TABLES)
def test_every_phase_is_reached_and_leads_to_the_end(machine: type, phases: Phases) -> None:
    first, *_, last = phases

    def reached(start: str) -> set[str]:
        found, new = set(), {start}
        while new:
            found |= new
            new = set().union(*(phases[one].leads for one in new)) - found
        return found

    assert reached(first) == set(phases)
    assert all(last in reached(name) for name in phases)


def test_the_diagram_shows_every_way() -> None:
    text = drawn(OF_AGENT)
    assert "EdgeHello, EdgeWelcome  -> ready" in text
    assert text.splitlines()[0] == "greeting"
    assert all(f"\n{name}\n" in f"\n{text}\n" for name in OF_AGENT)
    assert all(kind.__name__ in text for kind in INVITATIONS)


def test_a_phase_that_the_table_does_not_lead_to_cannot_be_entered() -> None:
    machine = AgentStage().make({})
    assert isinstance(machine, AgentMachine)
    with pytest.raises(AssertionError, match="greeting does not lead to running"):
        machine.phase = "running"
    coordinator = CoordinatorMachine(setup_of(SMALL), 0.0)
    with pytest.raises(AssertionError, match="gathering does not lead to closing"):
        coordinator.phase = "closing"


def test_an_agent_that_leaves_undone_what_it_could_do_is_caught_with_what_had_happened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(AgentRounds, "_act", lambda self: [])
    with pytest.raises(AssertionError, match="everything is there, and nothing is done") as caught:
        simulate(SMALL)
    [note] = caught.value.__notes__
    assert note.startswith("the last events before:")
    assert "< coordinator g=1 e=1 seq=4 ack=2: StatesAnnounced round=0 turn=0" in note
    assert "states=array(2,)" in note


def test_a_coordinator_that_does_not_go_on_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CoordinatorRounds, "_all", lambda self, answers: False)
    with pytest.raises(AssertionError, match="all tables are there, and nothing is done"):
        simulate(SMALL)


def test_the_history_keeps_the_latest_and_is_added_once() -> None:
    history = History()
    assert str(history) == "nothing had happened before"
    for number in range(2 * KEPT):
        history.note(float(number), Envelope("run", 1, 1, -1, 1, number, 0, 0, Start(number)))
    error = ValueError("broken")
    history.add_to(error)
    history.add_to(error)
    [note] = error.__notes__
    assert len(note.splitlines()) == KEPT + 1
    assert f"Start round={2 * KEPT - 1}" in note
    assert f"Start round={KEPT - 1}" not in note


class Broken:
    """A machine with a mistake in it, and the transport that brings it a message."""

    links = Links(-1, 1, "run")

    def receive(self, *_arrival: Any, **_more: Any) -> list:
        raise ZeroDivisionError("a mistake")

    def tick(self, now: float) -> list:
        return []

    def stood_still(self, seconds: float, now: float) -> None:
        pass

    def next_event(self) -> None:
        return None


class OneArrival:
    def receive(self, seconds: float) -> list[Arrival]:
        envelope = Envelope("run", 0, 0, 0, 1, 0, 0, 1, Hello((2,), 0, "there", (), "", "F"))
        beacon = Envelope("run", 0, 0, 0, 1, 0, 0, 2, Beacon("greeting", 0, 0, ()))
        return [Arrival("origin", [bytes(frame) for frame in encode(one)]) for one in (envelope, beacon)]

    def close(self) -> None:
        """Nothing is open."""


def test_a_process_that_crashes_says_what_had_happened() -> None:
    loop = Loop(Broken(), OneArrival(), print, lambda _now: [], lambda _now: [])  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError) as caught:
        loop.run()
    [note] = caught.value.__notes__
    assert "< agent 0 g=0 e=0 seq=0 ack=0: Hello versions=(2,)" in note
    assert "Beacon" not in note
