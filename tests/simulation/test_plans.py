"""Fault plans: what a file may say, and that a plan strikes where it says."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
import tomli_w
from bnpg_coordinator.experiment import Experiment
from bnpg_protocol.process.faults.injector import FaultInjector, flip_bits
from bnpg_protocol.process.faults.moments import Moment
from bnpg_protocol.process.faults.plan import (
    Delay,
    Drop,
    Duplicate,
    FaultPlan,
    Kill,
    Partition,
    PlanError,
    Reorder,
    plan_document,
    read_plan,
)
from bnpg_protocol.wire.codec import decode, encode
from bnpg_protocol.wire.effects import Transmit
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.errors import MalformedMessage
from bnpg_protocol.wire.messages import ActionsChosen
from hypothesis import given, settings
from hypothesis import strategies as st

from bnpg.lab.soak.schedule import draw_schedule
from bnpg.lab.soak.simulate import simulate

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "faults").glob("*.toml"))
EXPERIMENT = Experiment(game="coordination(agents=3)", rounds=9, lanes=8, horizon=4, evaluate_every=0)


def transmission(step: int, sender: int = 0, to: int = -1) -> Transmit:
    message = ActionsChosen(0, step, np.zeros(3, dtype=np.uint8))
    return Transmit("route", Envelope("run", 1, 1, sender, 1, step + 1, 0, step, message), to)


def steps(injector: FaultInjector, count: int, now: float = 0.0) -> list[int]:
    """Return the steps of the messages that come out, in order, delayed ones last."""
    out = [parcel for step in range(count) for parcel in injector.outgoing(transmission(step), now)]
    out += injector.released(1e9)
    return [parcel.transmit.envelope.message.turn for parcel in out]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_strikes_and_changes_nothing(path: Path) -> None:
    result = simulate(EXPERIMENT, read_plan(path), order=1)
    assert result.struck
    assert result.digest == simulate(EXPERIMENT).digest


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 7


@given(st.integers(0, 10**6))
@settings(max_examples=50)
def test_a_plan_survives_its_file(number: int) -> None:
    plan = draw_schedule(number).plan
    text = tomli_w.dumps(plan_document(plan))
    import msgspec

    assert msgspec.toml.decode(text, type=FaultPlan) == plan


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[drop]]\nprobability = 1.5", "probability"),
        ("[[drop]]\nprobabilty = 0.5", "probabilty"),
        ("[[delay]]\nfrom = 'agent-1'", "seconds"),
        ("[[delay]]\nseconds = 1.0\ndistribution = 'gamma'", "distribution"),
        ("[[drop]]\nmessages = ['ActionChosen']", "no kind of message is called 'ActionChosen'"),
        ("[[partition]]\ngroups = [['a'], ['b']]\nseconds = 1.0", "needs either `start` or `round`"),
        ("[[partition]]\ngroups = [['a']]\nround = 1\nseconds = 1.0", "two groups"),
        ("[[kill]]\nprocess = 'agent-1'\nphase = 'lunch'", "phase"),
        ("[[explode]]", "explode"),
        ("= 3", "line 1"),
    ],
)
def test_a_bad_plan_says_what_is_wrong(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(PlanError) as caught:
        read_plan(path)
    assert complaint in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_plan_says_so(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="No such file"):
        read_plan(tmp_path / "none.toml")


def test_drops_strike_at_the_places_named() -> None:
    plan = FaultPlan(drop=(Drop(positions=(1, 3)),))
    assert steps(FaultInjector(plan, "agent-0", 1), 5) == [0, 2, 4]


def test_faults_strike_only_on_their_links() -> None:
    plan = FaultPlan(drop=(Drop(sender="agent-*", to="coordinator"),))
    assert steps(FaultInjector(plan, "agent-0", 1), 3) == []
    assert steps(FaultInjector(plan, "coordinator", 1), 3) == [0, 1, 2]
    injector = FaultInjector(plan, "agent-0", 1)
    assert injector.outgoing(transmission(0, to=1), 0.0)


def test_duplicates_come_as_often_as_said() -> None:
    plan = FaultPlan(duplicate=(Duplicate(copies=2),))
    assert steps(FaultInjector(plan, "agent-0", 1), 2) == [0, 0, 0, 1, 1, 1]


def test_a_reordered_message_is_overtaken_as_often_as_said() -> None:
    plan = FaultPlan(reorder=(Reorder(positions=(0,), depth=2),))
    assert steps(FaultInjector(plan, "agent-0", 1), 4) == [1, 2, 0, 3]


def test_a_message_that_nobody_overtakes_goes_on_in_the_end() -> None:
    plan = FaultPlan(reorder=(Reorder(positions=(0,), depth=5, seconds=0.2),))
    injector = FaultInjector(plan, "agent-0", 1)
    assert injector.outgoing(transmission(0), 10.0) == []
    assert injector.next_release() == pytest.approx(10.2)
    assert len(injector.released(10.2)) == 1


@pytest.mark.parametrize("distribution", ["constant", "uniform", "exponential", "lognormal"])
def test_delays_have_the_mean_or_median_they_say(distribution: str) -> None:
    plan = FaultPlan(delay=(Delay(distribution=distribution, seconds=0.5),))
    injector = FaultInjector(plan, "agent-0", 1)
    for step in range(2000):
        assert injector.outgoing(transmission(step), 0.0) == []
    waits = []
    while (due := injector.next_release()) is not None:
        waits += [due] * len(injector.released(due))
    middle = np.median(waits) if distribution == "lognormal" else np.mean(waits)
    assert middle == pytest.approx(0.5, rel=0.1)


def test_a_partition_lasts_as_long_as_said_and_only_between_its_groups() -> None:
    cut = Partition(groups=(("agent-0",), ("coordinator",)), start=1.0, seconds=2.0)
    injector = FaultInjector(FaultPlan(partition=(cut,)), "agent-0", 1)
    heard = [bool(injector.outgoing(transmission(0), now)) for now in (0.5, 1.0, 2.9, 3.0)]
    assert heard == [True, False, False, True]
    assert injector.outgoing(transmission(0, to=1), 2.0)


def test_the_same_plan_strikes_the_same_messages_again() -> None:
    plan = FaultPlan(seed=3, drop=(Drop(probability=0.5),))
    first = steps(FaultInjector(plan, "agent-0", 1), 50)
    assert first == steps(FaultInjector(plan, "agent-0", 1), 50)
    assert first != steps(FaultInjector(plan, "agent-0", 2), 50)
    assert first != steps(FaultInjector(FaultPlan(seed=4, drop=plan.drop), "agent-0", 1), 50)


def test_a_kill_strikes_once_in_the_life_it_names() -> None:
    plan = FaultPlan(kill=(Kill(process="agent-0", phase="sending", round=1, after=2, incarnation=2),))
    first, second = FaultInjector(plan, "agent-0", 1), FaultInjector(plan, "agent-0", 2)
    moments = [Moment("sending", 0, 0), *(Moment("sending", 1, step) for step in range(3))]
    assert [first.strike(moment) for moment in moments] == [None] * 4
    assert [second.strike(moment) is not None for moment in moments] == [False, False, True, False]


@pytest.mark.parametrize("word", ["turn", "step"])
def test_a_kill_strikes_at_its_turn_also_where_the_plan_calls_it_step_as_before(
    tmp_path: Path, word: str
) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(f'[[kill]]\nprocess = "agent-0"\nphase = "sending"\nround = 1\n{word} = 2\n')
    plan = read_plan(file)
    again = FaultInjector(msgspec.convert(plan_document(plan), FaultPlan, strict=False), "agent-0", 1)
    moments = [Moment("sending", 0, 2), *(Moment("sending", 1, turn) for turn in range(3))]
    assert [again.strike(moment) is not None for moment in moments] == [False, False, False, True]


def test_a_turn_has_one_name_in_a_plan(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text('[[kill]]\nprocess = "agent-0"\nphase = "sending"\nturn = 2\nstep = 2\n')
    with pytest.raises(PlanError, match="`step` is what `turn` was called before"):
        read_plan(file)


@given(st.lists(st.floats(0.0, 1.0, exclude_max=True), min_size=1, max_size=3, unique=True))
@settings(max_examples=300)
def test_every_flipped_bit_is_found(flips: list[float]) -> None:
    frames = [bytes(frame) for frame in encode(transmission(1).envelope)]
    flipped = flip_bits(frames, tuple(flips))
    assert flipped != frames
    with pytest.raises(MalformedMessage):
        decode(list(flipped))
