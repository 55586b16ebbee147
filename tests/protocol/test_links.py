"""Links: whatever a lossy channel does, everything sent is delivered exactly once and in order."""

import itertools

import pytest
from bnpg_protocol.wire.addresses import COORDINATOR
from bnpg_protocol.wire.codec import decode, encode
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.errors import OrderViolation, WindowFull
from bnpg_protocol.wire.events import Passage
from bnpg_protocol.wire.link import (
    ACKNOWLEDGE_AFTER,
    ACKNOWLEDGE_EVERY,
    LONGEST_PATIENCE,
    PATIENCE,
    WINDOW,
    Link,
)
from bnpg_protocol.wire.links import EARLY, Links, Neighbour
from bnpg_protocol.wire.messages import LARGEST_COUNT, Acknowledgement, GapFound, Start
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule


class LossyChannel(RuleBasedStateMachine):
    """Two processes and a channel that loses, doubles and reorders, in both directions, while time passes.

    Both ends may enter a new epoch at any time, one before the other.
    """

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.numbers = itertools.count()
        self.ends = [Links(0, 1, "run"), Links(1, 1, "run")]
        self.on_the_way = [[], []]
        self.sent = [{}, {}]
        self.delivered = [{}, {}]
        for end in (0, 1):
            self.enter(end)

    def enter(self, end):
        epoch = self.ends[end].epoch + 1
        self.sent[end][epoch] = []
        self.delivered[end][epoch] = []
        for envelope, origin in self.ends[end].enter(1, epoch, {1 - end: Neighbour(1, "route")}):
            self.take(end, envelope, origin)

    def take(self, end, envelope, origin="route"):
        messages, transmissions = self.ends[end].receive(envelope, origin, self.now)
        self.delivered[end][self.ends[end].epoch] += [message.round for message in messages]
        self.post(end, transmissions)

    def post(self, end, transmissions):
        self.on_the_way[1 - end] += [transmit.envelope for transmit in transmissions]

    @rule(end=st.sampled_from([0, 1]), many=st.integers(1, 5))
    def send(self, end, many):
        for _ in range(many):
            number = next(self.numbers)
            self.post(end, [self.ends[end].send(1 - end, Start(number), self.now)])
            self.sent[end][self.ends[end].epoch].append(number)

    @rule(end=st.sampled_from([0, 1]), where=st.integers(0, 10**6), keep=st.booleans())
    def deliver(self, end, where, keep):
        """Deliver any envelope on the way, not necessarily the oldest; keep it there to double it."""
        waiting = self.on_the_way[end]
        if waiting:
            envelope = waiting[where % len(waiting)] if keep else waiting.pop(where % len(waiting))
            self.take(end, envelope)

    @rule(end=st.sampled_from([0, 1]), where=st.integers(0, 10**6))
    def lose(self, end, where):
        if self.on_the_way[end]:
            self.on_the_way[end].pop(where % len(self.on_the_way[end]))

    @rule(seconds=st.sampled_from([0.01, 0.06, 0.3, 5.0]))
    def pass_time(self, seconds):
        self.now += seconds
        for end in (0, 1):
            self.post(end, self.ends[end].tick(self.now))

    @precondition(lambda self: max(end.epoch for end in self.ends) < 4)
    @rule(end=st.sampled_from([0, 1]))
    def enter_an_epoch(self, end):
        if self.ends[end].epoch <= self.ends[1 - end].epoch:
            self.enter(end)

    @invariant()
    def what_is_delivered_is_what_was_sent_once_and_in_order(self):
        for end in (0, 1):
            for epoch, delivered in self.delivered[end].items():
                sent = self.sent[1 - end].get(epoch, [])
                assert delivered == sent[: len(delivered)]

    def teardown(self):
        """From now on the channel is fair: nothing may be missing in the end, and nobody talks for ever."""
        while self.ends[0].epoch != self.ends[1].epoch:
            self.enter(0 if self.ends[0].epoch < self.ends[1].epoch else 1)
        for _ in range(50):
            self.pass_time(LONGEST_PATIENCE)
            while any(self.on_the_way):
                for end in (0, 1):
                    waiting, self.on_the_way[end] = self.on_the_way[end], []
                    for envelope in waiting:
                        self.take(end, envelope)
            if all(not end.unacknowledged_by() and end.next_event() is None for end in self.ends):
                break
        else:
            raise AssertionError("the links never come to rest")
        epoch = self.ends[0].epoch
        for end in (0, 1):
            assert self.delivered[end][epoch] == self.sent[1 - end][epoch]


LossyChannel.TestCase.settings = settings(max_examples=120, stateful_step_count=40)
TestLossyChannel = LossyChannel.TestCase


def connected(epoch=1, generation=1):
    links = Links(0, 1, "run")
    links.enter(generation, epoch, {1: Neighbour(1, "route")})
    return links


def envelope(seq, message=None, **fields):
    usual = {
        "run": "run",
        "generation": 1,
        "epoch": 1,
        "sender": 1,
        "incarnation": 1,
        "seq": seq,
        "ack": 0,
        "lamport": 9,
        "message": message or Start(seq),
    }
    return Envelope(**(usual | fields))


def received(links, *arrivals):
    """Return the rounds that are delivered because of some arrivals."""
    return [message.round for arrival in arrivals for message in links.receive(arrival, "route", 0.0)[0]]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"epoch": 0}, "stale epoch"),
        ({"generation": 0, "epoch": 7}, "stale epoch"),
        ({"incarnation": 2}, "another incarnation"),
        ({"incarnation": 0}, "another incarnation"),
        ({"sender": 2}, "not a neighbour"),
        ({"sender": COORDINATOR}, "not a neighbour"),
    ],
)
def test_who_does_not_belong_here_is_refused_and_counted(fields, reason):
    links = connected()
    assert received(links, envelope(1, **fields)) == []
    assert links.refused == {reason: 1}
    assert received(links, envelope(1)) == [1]


@pytest.mark.parametrize("ahead", [{"epoch": 2}, {"generation": 2, "epoch": 1}])
def test_what_comes_early_for_the_next_epoch_is_kept_until_this_process_enters_it(ahead):
    links = connected()
    assert received(links, envelope(1, **ahead)) == []
    [(kept, origin)] = links.enter(
        ahead.get("generation", 1), ahead.get("epoch", 1), {1: Neighbour(1, "route")}
    )
    assert [message.round for message in links.receive(kept, origin, 0.0)[0]] == [1]


def test_what_is_kept_for_the_next_epoch_is_bounded():
    links = connected()
    for seq in range(EARLY + 10):
        links.receive(envelope(seq + 1, epoch=2), "route", 0.0)
    kept = links.enter(1, 2, {1: Neighbour(1, "route")})
    assert (len(kept), kept[0][0].seq) == (EARLY, 11), "the oldest are dropped"


def test_a_full_window_is_an_error_that_names_the_peer():
    links = connected()
    for round_ in range(WINDOW):
        links.send(1, Start(round_), 0.0)
    with pytest.raises(WindowFull, match=f"agent 1 acknowledges nothing: {WINDOW} messages"):
        links.send(1, Start(0), 0.0)
    assert links.unacknowledged_by() == [1]
    links.receive(envelope(0, Acknowledgement(), ack=1), "route", 0.0)
    links.send(1, Start(0), 0.0)


def test_a_message_beyond_the_window_is_a_violation_that_names_the_peer():
    with pytest.raises(OrderViolation, match=f"agent 1: message {WINDOW + 2} came while 1 is awaited"):
        connected().receive(envelope(WINDOW + 2), "route", 0.0)


def test_acknowledging_what_was_never_sent_is_a_violation_that_names_the_peer():
    with pytest.raises(OrderViolation, match="agent 1: message 3 is acknowledged, but only 0 were sent"):
        connected().receive(envelope(1, ack=3), "route", 0.0)


def test_a_gap_is_asked_for_once_and_filled_in_order():
    links = connected()
    _, asked = links.receive(envelope(3), "route", 0.0)
    assert [transmit.envelope.message for transmit in asked] == [GapFound(1, 2)]
    assert links.receive(envelope(4), "route", 0.0) == ([], [])
    assert received(links, envelope(2), envelope(1)) == [1, 2, 3, 4]


def test_a_gap_request_is_answered_with_exactly_the_same_messages():
    links = connected()
    first = [links.send(1, Start(round_), 0.0).envelope for round_ in range(5)]
    _, again = links.receive(envelope(0, GapFound(2, 3)), "route", 0.1)
    sent = [(one.seq, one.message, one.lamport) for one in first[1:3]]
    assert [(one.envelope.seq, one.envelope.message, one.envelope.lamport) for one in again] == sent
    assert links.retransmitted == 2


def test_a_gap_request_for_everything_there_ever_was_costs_no_more_than_what_is_there():
    links = connected()
    links.send(1, Start(0), 0.0)
    _, again = links.receive(envelope(0, GapFound(0, 2**64 - 1)), "route", 0.1)
    assert [one.envelope.seq for one in again] == [1]


def test_a_duplicate_is_dropped_counted_and_acknowledged_again_at_once():
    links = connected()
    assert received(links, envelope(1)) == [1]
    messages, answers = links.receive(envelope(1), "route", 0.0)
    assert messages == []
    assert [(one.envelope.message, one.envelope.ack) for one in answers] == [(Acknowledgement(), 1)]
    assert links.duplicates == 1


def test_an_acknowledgement_waits_a_little_for_a_message_to_ride_on():
    links = connected()
    links.receive(envelope(1), "route", 0.0)
    assert links.next_event() == ACKNOWLEDGE_AFTER
    assert links.send(1, Start(0), 0.01).envelope.ack == 1
    assert links.tick(ACKNOWLEDGE_AFTER) == []


def test_many_arrivals_are_acknowledged_without_waiting():
    links = connected()
    answers = [links.receive(envelope(seq + 1), "route", 0.0)[1] for seq in range(ACKNOWLEDGE_EVERY)]
    assert [len(one) for one in answers] == [0] * (ACKNOWLEDGE_EVERY - 1) + [1]


def test_an_overdue_message_is_sent_again_ever_more_patiently():
    link = Link()
    link.send(Start(0), 1, 0.0)
    now, waits = 0.0, []
    for _ in range(7):
        due = link.next_event()
        assert link.overdue(due - 1e-6) == []
        assert [seq for seq, _, _ in link.overdue(due)] == [1]
        waits.append(due - now)
        now = due
    assert waits == pytest.approx([PATIENCE * 2**n for n in range(5)] + [LONGEST_PATIENCE] * 2)


def test_an_answer_goes_where_the_neighbour_was_last_heard_from():
    links = connected()
    links.receive(envelope(1), "another route", 0.0)
    assert links.send(1, Start(0), 0.0).route == "another route"


def test_lamport_time_grows_over_every_hop():
    links = connected()
    before = links.send(1, Start(0), 0.0).envelope.lamport
    links.receive(envelope(1, lamport=100), "route", 0.0)
    after = links.send(1, Start(1), 0.0).envelope.lamport
    assert before < 100 < after


def test_a_peer_from_the_end_of_time_makes_nobody_fall_silent():
    links = connected()
    links.receive(envelope(1, lamport=LARGEST_COUNT), "route", 0.0)
    sent = [links.send(1, Start(0), 0.0), links.bare(1, "route", Acknowledgement()), links.acknowledge(1)]
    for transmit in sent:
        frames = [bytes(frame) for frame in encode(transmit.envelope)]
        assert decode(frames).lamport == LARGEST_COUNT


def test_every_message_is_observed_once_when_sent_and_once_when_delivered():
    seen = []
    links = Links(0, 1, "run", seen.append)
    links.enter(1, 1, {1: Neighbour(1, "route")})
    links.send(1, Start(7), 0.0)
    links.tick(10.0)
    received(links, envelope(2), envelope(1), envelope(1))
    passages = [one for one in seen if isinstance(one, Passage)]
    assert [(one.direction, one.peer, one.seq) for one in passages] == [
        ("send", 1, 1),
        ("receive", 1, 1),
        ("receive", 1, 2),
    ]


def test_what_could_not_go_out_is_taken_back_and_never_sent_again():
    links = connected()
    links.send(1, Start(0), 0.0)
    undone = [links.send(1, Start(round_), 0.0) for round_ in (1, 2)]
    links.unsend(undone)
    assert links.send(1, Start(9), 0.0).envelope.seq == 2
    again = links.tick(100.0)
    assert [one.envelope.message for one in again] == [Start(0), Start(9)]


def test_a_retransmission_that_could_not_go_out_is_still_owed():
    links = connected()
    links.send(1, Start(0), 0.0)
    [again] = links.tick(1.0)
    links.send(1, Start(1), 1.0)
    links.unsend([again])
    assert links.send(1, Start(2), 1.0).envelope.seq == 3


@given(
    st.lists(
        st.tuples(st.sampled_from(["send", "ack", "again", "tick", "unsend"]), st.floats(0.0, 3.0)),
        max_size=60,
    )
)
def test_a_link_knows_when_its_oldest_message_is_due(steps: list[tuple[str, float]]) -> None:
    link, now = Link(), 0.0
    for what, later in steps:
        now += later
        if what == "send":
            link.send(Start(0), 1, now)
        elif what == "ack" and link.next_seq > 1:
            link.acknowledged(1 + int(later * 1000) % (link.next_seq - 1))
        elif what == "again":
            link.again(1, link.next_seq, now)
        elif what == "unsend":
            link.unsend({link.next_seq - 1})
        elif what == "tick":
            expected = [seq for seq, kept in link.unacknowledged.items() if kept.due <= now]
            assert [seq for seq, _, _ in link.overdue(now)] == expected
        assert link.next_event() == min((kept.due for kept in link.unacknowledged.values()), default=None)
