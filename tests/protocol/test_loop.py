"""The loop between transport and machine: what follows each other to one process goes out together."""

from types import SimpleNamespace

import pytest
from bnpg_protocol.process.loop import Loop
from bnpg_protocol.wire.codec import decode
from bnpg_protocol.wire.effects import Effect, Stop, Transmit
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
