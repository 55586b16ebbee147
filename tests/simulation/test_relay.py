"""A relay decides no bit of a result, and nobody is fooled by one that lies."""

import msgspec
import numpy as np
import pytest
from bnpg_coordinator.experiment import Experiment
from bnpg_protocol.process.faults.plan import Delay, Drop, FaultPlan, Kill
from bnpg_protocol.wire.exit_codes import ExitCode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bnpg.lab.soak.schedule import draw_schedule
from bnpg.lab.testing.in_memory import Result, play
from bnpg.lab.testing.liars import Lie, lying
from bnpg_math.dag import random_dag

COMPLETE = Experiment(
    game="random(agents=4, states=2, actions=2, branching=2)",
    dag="complete",
    rounds=3,
    lanes=3,
    horizon=3,
    learning_rate=0.5,
)
FAULTS = FaultPlan(
    delay=(Delay(sender="agent-*", to="agent-*", seconds=0.4),),
    drop=(Drop(messages=("ActionsChosen",), probability=0.3),),
    kill=(Kill(process="agent-1", phase="sending", round=1), Kill(process="coordinator", phase="recorded")),
)


@st.composite
def experiments(draw) -> Experiment:
    """Small games on random graphs, with geometric or fixed horizons, whose lanes are parted or not."""
    agents = draw(st.integers(1, 5))
    dag = random_dag(
        agents, draw(st.floats(0.0, 1.0)), np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    )
    lanes = draw(st.integers(1, 9))
    return Experiment(
        game=f"random(agents={agents}, states=2, actions=2, branching=2, seed={draw(st.integers(0, 9))})",
        dag=",".join(f"{parent}-{child}" for parent, child in dag.edges) or "empty",
        rounds=2,
        lanes=lanes,
        parts=draw(st.integers(1, 2)) if lanes > 4 else 1,
        horizon=draw(st.sampled_from((1, 3, "geometric"))),
        learning_rate=0.5,
        seed=draw(st.integers(0, 99)),
    )


def same(one: Result, other: Result) -> bool:
    return (one.digest, one.lines) == (other.digest, other.lines)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(experiments(), st.integers(0, 2**32))
def test_a_relay_decides_no_bit_of_the_result(experiment: Experiment, order: int) -> None:
    assert same(play(experiment), play(experiment, order, relay=True))


@pytest.mark.parametrize("order", range(5))
def test_nor_does_it_under_faults_kills_and_returns(order: int) -> None:
    struck = play(COMPLETE, order, FAULTS, relay=True)
    assert same(play(COMPLETE), struck)
    assert struck.deaths == 2


def test_it_saves_messages() -> None:
    many = "random(agents=8, states=2, actions=2, branching=2)"
    experiment = Experiment(game=many, dag="complete", rounds=1, lanes=1, horizon=50, evaluate_every=0)
    assert play(experiment, relay=True).delivered < 0.6 * play(experiment).delivered


@pytest.mark.parametrize(
    ("lie", "first"),
    [
        (Lie(agent=2, to=3, of=0), "agent 2 or agent 3 lies"),
        (Lie(agent=2, to=3, of=1, turn=2), "agent 2 or agent 3 lies"),
        (Lie(agent=0, to=1, of=0), "agent 0 or agent 1 lies"),
        (Lie(agent=1, to=2, of=1, turn=1), "agent 1 or agent 2 lies"),
    ],
    ids=["relay", "relay-later", "two-faced-parent", "two-faced-relay"],
)
def test_a_lie_ends_the_run_before_anything_is_applied_and_both_are_named(lie: Lie, first: str) -> None:
    with lying(lie):
        ended = play(COMPLETE, relay=True)
    stop = ended.stops["coordinator"]
    assert stop.code == ExitCode.PROTOCOL
    assert f"round {lie.round}, turn {lie.turn}" in stop.why
    assert first in stop.why
    assert [line.round for line in ended.lines] == [0], "the round of the lie has no line"
    honest = play(msgspec.structs.replace(COMPLETE, rounds=1))
    assert ended.digest == honest.digest, "and no theta of it"


def test_half_of_the_schedules_have_a_relay() -> None:
    drawn = [draw_schedule(number) for number in range(100)]
    assert 25 < sum(one.relay for one in drawn) < 75
    assert any(one.relay and one.plan.kill for one in drawn)
