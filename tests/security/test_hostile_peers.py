"""Whoever has no business here is refused with a counted, logged reason; the run goes on to the right end."""

import json
import os
import signal
import zlib
from pathlib import Path

import msgpack
import numpy as np
import pytest
import zmq
from bnpg_protocol.process.transport.curve import new_key_pair
from bnpg_protocol.wire.codec import encode
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.messages import ActionsChosen, Beacon, Hello

ROGUE = 3


def beacon() -> Beacon:
    return Beacon("running", 0, 0, ())


def actions(round_: int = 0, step: int = 0) -> ActionsChosen:
    return ActionsChosen(round_, step, np.zeros(8, dtype=np.uint8))


def test_without_a_key_nobody_is_even_heard(secured, right_digest) -> None:
    secured.under_way()
    stranger = secured.stranger()
    stranger.say(Hello((2,), 0, "ipc://elsewhere", (), "", ""), sender=0)
    secured.until("the stranger is counted", lambda: secured.refused("handshake failed", "turned_away") > 0)
    assert not stranger.hears(0.2)
    assert secured.finish() == right_digest
    assert "turned away" in secured.log("coordinator")


def test_a_key_that_is_not_on_the_roster_is_turned_away(secured, right_digest) -> None:
    secured.under_way()
    unknown = secured.attacker(pair=new_key_pair())
    unknown.say(beacon())
    secured.until("the key is counted", lambda: secured.refused("key not allowed", "turned_away") > 0)
    assert secured.finish() == right_digest
    assert 'why="key not allowed"' in secured.log("coordinator")


def test_a_revoked_key_is_refused_at_once_and_at_the_door(secured, right_digest) -> None:
    secured.start(0, 1)
    secured.until("the coordinator listens", lambda: bool(secured.status()))
    rogue = secured.attacker()
    rogue.say(beacon(), run=secured.identity)
    secured.until("it may speak as itself", lambda: secured.refused("not a member") == 1)
    pair = secured.key(ROGUE).pair
    assert secured.bnpg("keys", "revoke", str(secured.keys), "--agent", str(ROGUE)).returncode == 0
    os.kill(secured.processes["coordinator"].pid, signal.SIGHUP)
    secured.until("the roster is read again", lambda: "roster read again" in secured.log("coordinator"))
    rogue.say(beacon(), run=secured.identity)
    secured.until(
        "the connection it still has is of no use",
        lambda: secured.refused("a key that is not allowed (any more)") == 1,
    )
    secured.attacker(pair=pair).say(beacon())
    secured.until("and it gets no new one", lambda: secured.refused("key not allowed", "turned_away") > 0)
    secured.start_agent(2)
    assert secured.finish() == right_digest


def test_nobody_speaks_under_anothers_name(secured, right_digest) -> None:
    secured.under_way()
    rogue = secured.attacker()
    for kind in (beacon(), actions(), Hello((2,), 0, "ipc://elsewhere", (), "", "")):
        rogue.say(kind, sender=0, run=secured.identity, incarnation=2)
    reason = "speaks for another: the key belongs to agent 3"
    secured.until("all three are counted", lambda: secured.refused(reason) == 3)
    assert not rogue.hears(0.1)
    assert secured.finish() == right_digest
    assert reason in secured.log("coordinator")


def test_an_inbox_lets_in_the_parents_and_nobody_else(secured, right_digest) -> None:
    secured.under_way()
    # Agent 1's parent is agent 0. Neither a rogue nor agent 2, an honest member, has any business there.
    for agent in (ROGUE, 2):
        child = secured.attacker(secured.inbox(1), secured.key(agent).pair, secured.key(1).public)
        child.say(actions(), sender=0, run=secured.identity)
    # And the parent's key does not make its owner the coordinator.
    parent = secured.attacker(secured.inbox(1), secured.key(0).pair, secured.key(1).public)
    parent.say(actions(), sender=-1, run=secured.identity)
    secured.until(
        "agent 1 says whom it refused",
        lambda: (
            secured.log("agent-1").count("turned away") >= 2
            and "speaks for another" in secured.log("agent-1")
        ),
    )
    assert secured.finish() == right_digest


def test_frames_of_an_earlier_run_are_refused(secured, right_digest) -> None:
    secured.under_way()
    rogue = secured.attacker()
    old = encode(Envelope("an-earlier-run", 1, 1, ROGUE, 1, 7, 3, 40, actions(3, 2)))
    for _ in range(5):
        rogue.send(*old)
    secured.until("all five are counted", lambda: secured.refused("another run") == 5)
    assert secured.finish() == right_digest
    assert "another run" in secured.log("coordinator")


def sealed(header: bytes, inline: bytes = b"") -> list[bytes]:
    """Put a right length and a right checksum before a header."""
    rest = len(header).to_bytes(4, "little") + header + inline
    return [zlib.crc32(rest).to_bytes(4, "little") + rest]


def nested() -> list[bytes]:
    header = msgpack.packb((2, "r", 1, 1, ROGUE, 1, 1, 0, 1, "TableShown"))
    return sealed(b"\x9c" + header[1:] + b"\x91" * 5000)


def with_nan() -> list[bytes]:
    table = np.full((1, 2), np.nan).tobytes()
    header = msgpack.packb((2, "r", 1, 1, ROGUE, 1, 1, 0, 1, "TableShown", [0], [("<f8", (1, 2))]))
    return sealed(header, table)


def truncated() -> list[bytes]:
    frames = [bytes(one) for one in encode(Envelope("r", 1, 1, ROGUE, 1, 1, 0, 1, actions()))]
    return [frames[0][:-3], *frames[1:]]


BROKEN = {
    "nothing": [b""],
    "noise": [bytes(range(256))],
    "truncated": truncated(),
    "missing tensor": sealed(msgpack.packb((2, "r", 1, 1, ROGUE, 1, 1, 0, 1, "TableShown", [0], []))),
    "many parts": [b"x"] * 1000,
    "no MessagePack": sealed(b"\xc1"),
    "nothing but brackets": sealed(b"\x91" * 5000),
    "nested": nested(),
    "NaN": with_nan(),
    "header too long": sealed(b"\0" * 70_000),
}


def test_broken_messages_are_counted_and_change_nothing(secured, right_digest) -> None:
    secured.under_way()
    rogue = secured.attacker()
    for frames in BROKEN.values():
        rogue.send(*frames)
    secured.until("each one is counted", lambda: secured.refused("malformed") == len(BROKEN))
    assert secured.finish() == right_digest
    log = secured.log("coordinator")
    for hint in ("must be finite", "checksum differs", "header must have", "is no MessagePack", "is nested"):
        assert hint in log


def test_a_frame_over_the_limit_ends_its_connection_before_it_costs_memory(secured, right_digest) -> None:
    secured.under_way()
    before = secured.resident()
    rogue = secured.attacker()
    for _ in range(4):
        rogue.send(bytes(64 * 2**20))
    rogue.hears(0.5)
    assert secured.resident() - before < 32 * 2**20
    assert secured.finish() == right_digest


def test_a_flood_ends_in_quarantine(secured, right_digest) -> None:
    secured.under_way()
    rogue = secured.attacker()
    before = secured.resident()
    for _ in range(20_000):
        rogue.say(beacon(), run=secured.identity)
    secured.until("the flood is not looked at any more", lambda: secured.refused("quarantined") > 1000)
    assert secured.resident() - before < 64 * 2**20
    assert secured.finish() == right_digest
    log = secured.log("coordinator")
    assert "quarantined" in log
    assert log.count("\n") < 200, "a flood must not fill the log"


def test_somebody_who_asks_and_never_listens_costs_little(secured, right_digest) -> None:
    secured.under_way()
    rogue = secured.attacker()
    rogue.socket.set(zmq.RCVHWM, 1)
    before = secured.resident()
    hello = Hello((2,), ROGUE, "ipc://nowhere", (), "x" * 1000, "")
    for _ in range(20_000):
        rogue.say(hello)
    secured.until("it is quarantined", lambda: secured.refused("quarantined") > 1000)
    assert secured.resident() - before < 64 * 2**20
    assert secured.finish() == right_digest


@pytest.mark.parametrize(
    ("liar", "named"),
    [("lying_relay.py", "agent 1 or agent 2 lies"), ("two_faced_parent.py", "agent 0 or agent 1")],
)
def test_a_member_that_sends_a_child_something_else_ends_the_run_and_both_are_named(
    secured, liar: str, named: str
) -> None:
    """The child acts on it, but nothing is applied: agents hold theta of the round of the lie at the most."""
    secured.start_coordinator("--relay", "on", "--dag", "complete")
    agent = {"lying_relay.py": 1, "two_faced_parent.py": 0}[liar]
    secured.start_agent(agent, program=str(Path(__file__).with_name(liar)))
    for other in {0, 1, 2} - {agent}:
        secured.start_agent(other)
    assert secured.processes["coordinator"].wait(100) == 6
    log = secured.log("coordinator")
    assert "acted at round 5, turn 0 on other actions than were chosen" in log
    assert named in log
    record = (secured.run / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["round"] for line in record] == [0, 1, 2, 3, 4]


def test_a_member_that_says_two_things_ends_the_run_and_is_named(secured) -> None:
    secured.start(1, 2)
    secured.start_agent(0, program=str(Path(__file__).with_name("equivocator.py")))
    assert secured.processes["coordinator"].wait(100) == 6
    assert "agent 0 says two different things for the actions of round 5" in secured.log("coordinator")
