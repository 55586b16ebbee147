"""What a peer can make others keep is bounded in bytes: a thousand messages of a mebibyte are refused."""

import gc
import weakref
from contextlib import nullcontext

import numpy as np
import pytest
from bnpg_agents.round_buffer import RoundBuffer
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.errors import OrderViolation, WindowFull
from bnpg_protocol.wire.link import Link
from bnpg_protocol.wire.links import Links, Neighbour
from bnpg_protocol.wire.messages import ActionsChosen, Start, TableShown
from bnpg_protocol.wire.weight import (
    AHEAD_BYTES,
    EARLY_BYTES,
    EARLY_BYTES_OF_ALL,
    HELD_BYTES,
    OVERHEAD,
    WINDOW_BYTES,
    weight,
)

from bnpg.lab.testing.stages import AgentStage

MEBI = 1 << 20


def big(round_: int = 0) -> TableShown:
    """A message of a mebibyte; all of them share their array, so that the test itself needs no memory."""
    return TableShown(round_, ARRAY)


ARRAY = np.zeros(MEBI // 8)


def early(sender: int, seq: int) -> Envelope:
    return Envelope("run", 1, 2, sender, 1, seq, 0, 0, big())


def kept(links: Links) -> list[tuple[Envelope, str]]:
    return links.enter(1, 2, {1: Neighbour(1, "route")})


def test_a_message_weighs_what_its_arrays_and_texts_take() -> None:
    assert weight(big()) == MEBI + OVERHEAD
    assert weight(Start(3)) == OVERHEAD


def test_a_thousand_early_messages_of_a_mebibyte_are_refused_but_for_a_few() -> None:
    links = Links(0, 1, "run")
    refused = 0
    for seq in range(1, 1001):
        try:
            links.receive(early(1, seq), "route", 0.0)
        except OrderViolation:
            refused += 1
    assert refused == links.refused["too much too early"] >= 1000 - EARLY_BYTES // MEBI
    assert sum(weight(envelope.message) for envelope, _ in kept(links)) <= EARLY_BYTES


def test_who_sends_too_much_too_early_takes_no_room_from_others() -> None:
    links = Links(0, 1, "run")
    for seq in range(1, 100):
        with pytest.raises(OrderViolation) if seq > EARLY_BYTES // MEBI - 1 else nullcontext():
            links.receive(early(1, seq), "route", 0.0)
    links.receive(early(2, 1), "other", 0.0)
    assert (2, "other") in [(envelope.sender, origin) for envelope, origin in kept(links)]


def test_many_names_keep_no_more_than_the_bound_of_all() -> None:
    links = Links(0, 1, "run")
    for sender in range(1, 200):
        try:
            links.receive(early(sender, 1), "route", 0.0)
        except OrderViolation:
            continue
    assert sum(weight(envelope.message) for envelope, _ in kept(links)) <= EARLY_BYTES_OF_ALL


def test_the_bytes_of_an_epoch_are_free_again_in_the_next() -> None:
    links = Links(0, 1, "run")
    for seq in range(1, EARLY_BYTES // MEBI):
        links.receive(early(1, seq), "route", 0.0)
    kept(links)
    links.receive(Envelope("run", 1, 3, 1, 1, 1, 0, 0, big()), "route", 0.0)


def test_behind_a_gap_bytes_are_bounded_and_what_is_refused_comes_again() -> None:
    sender, receiver = Link(), Link()
    many = 2 * HELD_BYTES // MEBI
    for _ in range(many):
        sender.send(big(), 1, 0.0)
    refused = 0
    for seq in range(2, many + 1):
        try:
            receiver.receive(seq, 1, big(), 0.0)
        except OrderViolation:
            refused += 1
    assert refused >= many // 2
    delivered, now = 0, 0.0
    while delivered < many:
        now += 10.0
        for seq, lamport, message in sender.overdue(now):
            delivered += len(receiver.receive(seq, lamport, message, now).delivered)
        sender.acknowledged(receiver.acknowledge())
    assert sender.unacknowledged == {}


def test_one_message_larger_than_a_bound_still_passes() -> None:
    link = Link()
    huge = np.broadcast_to(np.zeros(1), (WINDOW_BYTES // 4,))
    assert huge.nbytes == 2 * WINDOW_BYTES
    link.send(TableShown(0, huge), 1, 0.0)
    with pytest.raises(WindowFull, match="bytes are unacknowledged"):
        link.send(Start(0), 1, 0.0)
    receiver = Link()
    receiver.receive(2, 1, TableShown(0, huge), 0.0)
    assert len(receiver.receive(1, 1, Start(0), 0.0).delivered) == 2


def test_what_is_not_acknowledged_is_bounded_in_bytes() -> None:
    link = Link()
    many = WINDOW_BYTES // MEBI
    for _ in range(many - 1):
        link.send(big(), 1, 0.0)
    with pytest.raises(WindowFull, match="bytes are unacknowledged"):
        link.send(big(), 1, 0.0)
    link.acknowledged(many - 1)
    link.send(big(), 1, 0.0)


def test_a_broadcast_weighs_the_same_on_every_link_and_another_message_its_own() -> None:
    links = [Link(), Link()]
    many = WINDOW_BYTES // MEBI
    broadcasts = [big(round_) for round_ in range(many - 1)]
    for message in broadcasts:
        for link in links:
            link.send(message, 1, 0.0)
    for link in links:
        link.send(Start(0), 1, 0.0)
        with pytest.raises(WindowFull, match="bytes are unacknowledged"):
            link.send(broadcasts[-1], 1, 0.0)


def test_what_came_in_is_not_kept_by_whoever_weighed_it() -> None:
    refused = weakref.ref(array := np.zeros(2 * EARLY_BYTES, dtype=np.uint8))
    links = Links(0, 1, "run")
    with pytest.raises(OrderViolation):
        links.receive(Envelope("run", 1, 2, 1, 1, 1, 0, 0, TableShown(0, array)), "route", 0.0)
    del array
    gc.collect()
    assert refused() is None


def test_a_parent_cannot_be_ahead_by_more_than_the_bound() -> None:
    buffer = RoundBuffer(0, (1,))
    actions = np.zeros(MEBI, dtype=np.uint8)
    kept = AHEAD_BYTES // MEBI
    for step in range(kept):
        buffer.take_actions(1, step, actions)
    with pytest.raises(OrderViolation, match=f"agent 1 is {kept} turns ahead"):
        buffer.take_actions(1, kept, actions)


def test_before_the_start_each_parent_is_bounded_and_the_one_that_goes_on_is_named() -> None:
    stage = AgentStage()
    stage.play(EDGES_OF_TWO_PARENTS)
    machine = stage.machine
    actions = np.zeros(MEBI, dtype=np.uint8)
    for turn in range(64):
        for parent in (0, 1):
            assert machine._keep(parent, ActionsChosen(0, turn, actions), 0.0) == []
    with pytest.raises(OrderViolation, match="agent 1 acts before the Start: more than 67108864 bytes wait"):
        machine._keep(1, ActionsChosen(0, 64, actions), 0.0)
    stage.play("> coordinator: Start round=0\n")
    assert machine.rounds.told_by(0) == machine.rounds.told_by(1) == 1, "none of them was lost"


EDGES_OF_TWO_PARENTS = """\
given agent=2 parents=(0,1) parent_actions=(2,2)
~ 0
> coordinator: Welcome
epoch 1
> coordinator: Roster parents=((0,1),(1,1)) children=()
> agent 0: EdgeHello
> agent 1: EdgeHello
"""
