"""The loop between transport and machine: what follows each other to one process goes out together."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from bnpg_protocol.process import transport
from bnpg_protocol.process.loop import Loop
from bnpg_protocol.wire.codec import decode
from bnpg_protocol.wire.effects import Effect, Log, Stop, Transmit
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.exit_codes import ExitCode
from bnpg_protocol.wire.messages import Start


class Wires:
    """A transport that notes what it is given."""

    def __init__(self) -> None:
        self.given: list[tuple[str, int, bool]] = []

    def send(self, route: str, frames: list[bytes], more: bool = False) -> bool:
        self.given.append((route, decode(frames).message.round, more))
        return True


def to(route: str, number: int) -> Transmit:
    return Transmit(route, Envelope("a" * 32, 1, 1, -1, 1, number + 1, 0, 1, Start(number)), 0)


@pytest.mark.parametrize(
    ("routes", "together"),
    [
        ("aab", [True, False, False]),
        ("aba", [False, False, False]),
        ("aaa", [True, True, False]),
        ("a.a", [False, False]),
    ],
)
def test_only_what_the_same_process_gets_next_is_held_for(routes: str, together: list[bool]) -> None:
    wires, carried = Wires(), []
    loop = Loop(SimpleNamespace(), wires, carried.append, lambda _: [], lambda _: [])
    effects: list[Effect] = [
        "stored" if route == "." else to(route, number) for number, route in enumerate(routes)
    ]
    assert loop._act(effects) is None
    assert [more for _, _, more in wires.given] == together
    assert [(route, number) for route, number, _ in wires.given] == [
        (route, number) for number, route in enumerate(routes) if route != "."
    ]
    assert len(carried) == routes.count(".")


def test_the_last_message_before_the_end_is_not_held() -> None:
    wires = Wires()
    loop = Loop(SimpleNamespace(), wires, lambda _: None, lambda _: [], lambda _: [])
    assert loop._act([to("a", 0), Stop(ExitCode.DONE, ""), to("a", 1)]) == Stop(ExitCode.DONE, "")
    assert wires.given == [("a", 0, False)]


PROVOKED = [
    *("refused", "rejected", "quarantined", "turned away", "not let in", "not connected"),
    *("connection ended", "nobody is let in", "no room for more connections", "listening again"),
]


def test_whatever_a_transport_tells_again_and_again_is_among_it() -> None:
    told = {
        event
        for file in Path(transport.__file__).parent.glob("*.py")
        for event in re.findall(r'_tell\(\s*"\w+", "([^"]+)"', file.read_text(encoding="utf-8"))
    }
    assert "connection ended" in told
    assert told - set(PROVOKED) == {"connected at last"}, "which comes after half a second of failures"


@pytest.mark.parametrize("event", PROVOKED)
def test_a_log_gets_two_lines_a_second_of_what_others_can_cause_and_how_many_were_left_out(
    event: str,
) -> None:
    now, carried = [0.0], []
    loop = Loop(SimpleNamespace(), Wires(), carried.append, lambda _: [], lambda _: [], clock=lambda: now[0])
    for count in range(6000):
        now[0] = count / 100
        loop._act([Log("warning", event, {"who": "a stranger"})])
    assert 120 <= len(carried) <= 20 + 2 * 60
    assert {one.fields["who"] for one in carried} == {"a stranger"}
    now[0] += 10
    loop._act([Log("warning", event, {})])
    assert len(carried) + sum(one.fields["left_out"] for one in carried) == 6001


def test_what_others_cause_of_one_kind_hides_nothing_of_another_kind() -> None:
    carried: list[Log] = []
    loop = Loop(SimpleNamespace(), Wires(), carried.append, lambda _: [], lambda _: [], clock=lambda: 0.0)
    loop._act([Log("warning", "refused", {}) for _ in range(100)] + [Log("warning", "quarantined", {})])
    assert [one.event for one in carried] == ["refused"] * 20 + ["quarantined"]


def test_what_the_process_itself_has_to_say_is_all_written() -> None:
    carried: list[Log] = []
    loop = Loop(SimpleNamespace(), Wires(), carried.append, lambda _: [], lambda _: [], clock=lambda: 0.0)
    loop._act([Log("info", "joined", {"agent": agent}) for agent in range(500)])
    assert len(carried) == 500
