"""No plan ends in a silent stall: what cannot go on ends with a deadline that names the blocker."""

import pytest
from bnpg_coordinator.experiment import Experiment
from bnpg_protocol.process.faults.plan import Delay, Drop, FaultPlan, Kill, Partition, Pause
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.lab.soak.simulate import simulate

EXPERIMENT = Experiment(
    game="random(agents=3, states=2, actions=2, branching=2)", rounds=3, lanes=2, horizon=2
)


@pytest.mark.parametrize(
    ("drop", "blamed"),
    [
        (Drop(sender="agent-1", to="coordinator", messages=("Hello",)), "the Hello of agent 1"),
        (Drop(sender="coordinator", to="agent-2", messages=("Roster",)), "confirmed edges from"),
        (Drop(sender="agent-0", to="agent-1", messages=("EdgeHello",)), "lacks the message of agent"),
        (
            Drop(sender="agent-0", to="agent-1", messages=("ActionsChosen",)),
            "running at 0/0, lacks the message of agent 0",
        ),
        (Drop(sender="agent-2", to="coordinator", messages=("ActionsChosen",)), "the actions of agent 2"),
        (Drop(sender="coordinator", to="agent-0", messages=("SignalBroadcast",)), "agent 0"),
    ],
)
def test_a_link_that_never_carries_a_kind_of_message_is_named(drop: Drop, blamed: str) -> None:
    result = simulate(EXPERIMENT, FaultPlan(drop=(drop,)), patience=60.0)
    code, why = result.stops["coordinator"]
    assert code == ExitCode.DEADLINE
    assert blamed in why
    assert set(result.stops) == {"coordinator", "agent-0", "agent-1", "agent-2"}


def test_the_root_of_a_chain_is_named_and_not_those_who_wait_for_it() -> None:
    """On the line 0 -> 1 -> 2 a lost action of 0 starves 1 and 2; only 1 lacks something from outside."""
    drop = Drop(sender="agent-0", to="agent-1", messages=("ActionsChosen",))
    result = simulate(EXPERIMENT, FaultPlan(drop=(drop,)), patience=60.0)
    _, why = result.stops["coordinator"]
    assert "agent 1" in why
    assert "agent 2" not in why


def test_a_partition_that_outlasts_patience_ends_with_a_deadline() -> None:
    cut = Partition(groups=(("agent-0",), ("coordinator",)), round=1, seconds=1e6)
    result = simulate(EXPERIMENT, FaultPlan(partition=(cut,)), patience=60.0)
    assert result.stops["coordinator"][0] == ExitCode.DEADLINE
    assert {code for code, _ in result.stops.values()} <= {ExitCode.DEADLINE, ExitCode.DONE}


def test_a_hang_longer_than_patience_ends_with_a_deadline_that_names_the_hung() -> None:
    pause = Pause(process="agent-1", phase="states", round=1, seconds=1e5)
    result = simulate(EXPERIMENT, FaultPlan(pause=(pause,)), patience=60.0)
    code, why = result.stops["coordinator"]
    assert code == ExitCode.DEADLINE
    assert "agent 1" in why


def test_an_hour_of_delays_changes_nothing() -> None:
    slow = FaultPlan(delay=(Delay(distribution="constant", seconds=60.0),))
    result = simulate(EXPERIMENT, slow)
    assert result.seconds > 3600.0
    assert result.digest == simulate(EXPERIMENT).digest


def _loop(process: str, phase: str, round_: int | None) -> FaultPlan:
    """A crash at the same place in each of 500 lives."""
    lives = range(1, 501)
    return FaultPlan(
        kill=tuple(Kill(process=process, phase=phase, round=round_, incarnation=one) for one in lives)
    )


@pytest.mark.parametrize(("phase", "round_"), [("joining", None), ("states", 1), ("storing", 1)])
def test_an_agent_that_crashes_again_and_again_ends_the_run_by_its_deadline(
    phase: str, round_: int | None
) -> None:
    """Each return of it is news, and half a second later comes the next: only its place does not move."""
    result = simulate(EXPERIMENT, _loop("agent-1", phase, round_), patience=60.0)
    code, why = result.stops["coordinator"]
    assert code == ExitCode.DEADLINE
    assert "agent 1 came back" in why
    assert result.deaths <= 130  # half a second each, of a patience of a minute
    assert set(result.stops) == {"coordinator", "agent-0", "agent-1", "agent-2"}


def test_a_coordinator_that_crashes_again_and_again_ends_the_run_by_the_agents_deadline() -> None:
    result = simulate(EXPERIMENT, _loop("coordinator", "recorded", 1), patience=60.0)
    ends = {result.stops[f"agent-{agent}"] for agent in range(3)}
    assert {code for code, _ in ends} == {ExitCode.DEADLINE}
    assert all("coordinator came back" in why for _, why in ends)


def test_a_round_longer_than_patience_may_be_played_again() -> None:
    """Each of its steps takes a minute, a death at its end costs all of them: slow is not in circles."""
    slow = Delay(distribution="constant", seconds=30.0)
    deaths = (
        Kill(process="agent-1", phase="signal", round=0),
        Kill(process="agent-2", phase="storing", round=1),
    )
    result = simulate(EXPERIMENT, FaultPlan(delay=(slow,), kill=deaths), patience=100.0)
    assert result.deaths == 2
    assert result.digest == simulate(EXPERIMENT).digest


def test_who_is_heard_but_hears_nothing_changes_nothing_once_it_hears_again() -> None:
    """The asymmetric partition: one direction of some links is cut, the other works."""
    deaf = Partition(groups=(("coordinator", "agent-0"), ("agent-1",)), one_way=True, round=1, seconds=20.0)
    result = simulate(EXPERIMENT, FaultPlan(partition=(deaf,)), patience=60.0)
    assert result.struck["partition"] > 0
    assert result.digest == simulate(EXPERIMENT).digest


def test_an_asymmetric_partition_that_outlasts_patience_names_whom_it_cuts_off() -> None:
    mute = Partition(groups=(("agent-1",), ("coordinator",)), one_way=True, round=1, seconds=1e6)
    result = simulate(EXPERIMENT, FaultPlan(partition=(mute,)), patience=60.0)
    code, why = result.stops["coordinator"]
    assert code == ExitCode.DEADLINE
    assert "agent 1" in why
