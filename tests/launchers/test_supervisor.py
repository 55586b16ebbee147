"""Who is started again, and what an exit code means, is the same on every place."""

import os
import signal
from collections.abc import Callable
from itertools import count

import pytest
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.lab.testing.scripted_life import Life
from bnpg.launchers import supervisor
from bnpg.launchers.place import LOST
from bnpg.launchers.settings import Outcome
from tests.launchers.conftest import AGENTS, Theatre

DONE = Life(code=0)


@pytest.mark.parametrize("code", sorted(set(ExitCode)))
def test_the_run_ends_as_the_coordinator_ends(theatre: Theatre, code: ExitCode) -> None:
    assert theatre.play({"coordinator": [Life(code=code)]}) == Outcome(code, "", 1 + AGENTS)


def test_agents_that_are_done_are_not_started_again(theatre: Theatre) -> None:
    ended = theatre.play({"agent-0": [DONE], "coordinator": [Life(code=0, when=("agent-0", 1), round=0)]})
    assert ended.code == ExitCode.DONE
    assert theatre.stage.lives("agent-0") == 1
    assert theatre.lines == [0]


def test_a_status_of_before_an_agent_ended_starts_nobody_again(theatre: Theatre) -> None:
    """As in a run that is over before the coordinator has spoken a second time."""
    ended = theatre.play(
        {
            "coordinator": [Life(status={"phase": "gathering"}, code=0, when=("agent-1", 2))],
            "agent-0": [Life(code=0, when=("coordinator", 1))],
            "agent-1": [Life(code=-9, when=("agent-0", 1)), Life()],
        }
    )
    assert ended.code == ExitCode.DONE
    assert theatre.stage.lives("agent-0") == 1


def test_who_has_ended_is_started_again_for_a_coordinator_that_gathers_anew(theatre: Theatre) -> None:
    """By a clock that has gone back years meanwhile."""
    gathers = {"phase": "gathering"}
    later = (gathers | {"written": 1e9 - number} for number in count())
    again = Life(status=next(later), code=0, when=("agent-0", 2))
    ended = theatre.play(
        {
            "coordinator": [Life(status=gathers, code=-9, when=("agent-0", 1)), again],
            "agent-0": [Life(code=0, when=("coordinator", 1)), Life()],
        },
        lambda: theatre.stage.lives("coordinator") > 1 and theatre.stage.say(next(later)),
    )
    assert ended.code == ExitCode.DONE
    assert theatre.stage.lives("agent-0") == 2


@pytest.mark.parametrize("status", [-9, -11, -15, 1, 42, 130, 255])
def test_who_dies_without_a_reason_of_its_own_is_started_again(theatre: Theatre, status: int) -> None:
    ended = theatre.play(
        {"agent-1": [Life(code=status), Life()], "coordinator": [Life(code=0, when=("agent-1", 2))]}
    )
    assert ended.code == ExitCode.DONE
    assert (theatre.stage.lives("agent-0"), theatre.stage.lives("agent-1")) == (1, 2)


def test_a_coordinator_that_is_killed_is_started_again(theatre: Theatre) -> None:
    ended = theatre.play({"coordinator": [Life(code=-9), DONE]})
    assert ended.code == ExitCode.DONE
    assert theatre.stage.lives("coordinator") == 2


@pytest.mark.parametrize(
    "code", sorted(set(ExitCode) - {ExitCode.DONE, ExitCode.INTERNAL, ExitCode.INTERRUPTED})
)
def test_an_agent_that_says_why_it_ends_ends_the_run(theatre: Theatre, code: ExitCode) -> None:
    ended = theatre.play({"agent-0": [Life(code=code)], "coordinator": [Life()]})
    assert (ended.code, ended.why) == (code, f"agent-0 ended with code {int(code)}")
    assert theatre.stage.lives("agent-0") == 1


def test_the_reason_is_what_the_coordinator_says_of_a_rejection(theatre: Theatre) -> None:
    status = {"phase": "gathering", "rejected": {"1": "version: expected 1, got 2"}}
    ended = theatre.play(
        {
            "agent-1": [Life(code=8, when=("coordinator", 1))],
            "coordinator": [Life(status=status)],
        }
    )
    assert (ended.code, ended.why) == (8, "agent-1 was rejected (version: expected 1, got 2)")


@pytest.mark.parametrize("name", ["agent-0", "coordinator"])
def test_a_loop_of_crashes_is_given_up(theatre: Theatre, name: str) -> None:
    ended = theatre.play({"coordinator": [Life()]} | {name: [Life(code=-11)]})
    assert ended.code == ExitCode.PEER_FAILED
    deaths = supervisor.DEATHS
    assert ended.why == f"{name} was killed by signal 11 and died {deaths} times without a round in between"
    assert theatre.stage.lives(name) == deaths


def test_deaths_with_rounds_in_between_do_not_count(theatre: Theatre) -> None:
    often = 2 * supervisor.DEATHS
    lives = [Life(code=-9, round=number) for number in range(often)]
    ended = theatre.play(
        {"agent-0": [*lives, Life()], "coordinator": [Life(code=0, when=("agent-0", often + 1))]}
    )
    assert ended.code == ExitCode.DONE
    assert theatre.lines == list(range(often))


def test_who_is_told_to_end_again_and_again_is_given_up(theatre: Theatre) -> None:
    ended = theatre.play({"agent-0": [Life(code=130)], "coordinator": [Life()]})
    deaths = supervisor.DEATHS
    assert ended.code == ExitCode.PEER_FAILED
    assert ended.why == f"agent-0 was told to end and died {deaths} times without a round in between"


def test_on_loss_fail_ends_the_run_at_the_first_death(theatre: Theatre) -> None:
    ended = theatre.play({"agent-0": [Life(code=-9)], "coordinator": [Life()]}, on_loss="fail")
    why = "agent-0 was killed by signal 9, and on-loss is fail"
    assert (ended.code, ended.why) == (ExitCode.PEER_FAILED, why)


def interrupting(theatre: Theatre, times: int) -> Callable[[], None]:
    """Return what interrupts this process so often, once everybody lives."""
    left = [times]

    def look() -> None:
        everybody = ("coordinator", "agent-0", "agent-1")
        if left[0] and all(theatre.stage.lives(name) for name in everybody):
            left[0] -= 1
            os.kill(os.getpid(), signal.SIGTERM)

    return look


def test_an_interrupt_ends_the_run_in_order(theatre: Theatre) -> None:
    ended = theatre.play({"coordinator": [Life()]}, interrupting(theatre, 1))
    assert ended.code == ExitCode.INTERRUPTED
    assert theatre.stage.lives("coordinator") == 1


def test_a_second_interrupt_waits_for_nobody(theatre: Theatre, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "GRACE", 0.1)
    ended = theatre.play({"coordinator": [Life(deaf=True)]}, interrupting(theatre, 2))
    assert (ended.code, ended.why) == (ExitCode.INTERRUPTED, "interrupted")


def test_nobody_is_left_who_goes_on_when_he_is_asked_to_end(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "GRACE", 0.1)
    deaf = Life(deaf=True)
    ended = theatre.play({"agent-0": [deaf], "agent-1": [deaf], "coordinator": [DONE]})
    assert ended.code == ExitCode.DONE  # and the place looks whether somebody is left


def heard(**seconds_ago: float) -> dict[str, object]:
    """Return the status of a coordinator that has heard of agents so many seconds ago."""
    where = {"incarnation": 3, "phase": "running", "round": 0, "step": 0}
    agents = {name[1:]: where | {"heard_seconds_ago": ago} for name, ago in seconds_ago.items()}
    return {"phase": "running", "agents": agents}


def test_a_silent_agent_is_replaced_once_and_nobody_else(theatre: Theatre) -> None:
    ended = theatre.play(
        {"coordinator": [Life(status=heard(a0=1.0, a1=9.0), code=0, when=("agent-1", 2))]}, replace_after=5.0
    )
    assert ended.code == ExitCode.DONE
    assert (theatre.stage.lives("agent-0"), theatre.stage.lives("agent-1")) == (1, 2)


def test_without_being_asked_nobody_is_replaced(theatre: Theatre) -> None:
    looks = [0]

    def look() -> None:
        looks[0] += 1
        if looks[0] == 20:
            os.kill(os.getpid(), signal.SIGTERM)

    theatre.play({"coordinator": [Life(status=heard(a0=1.0, a1=900.0))]}, look)
    assert theatre.stage.lives("agent-1") == 1


@pytest.mark.parametrize("theatre", ["fake"], indirect=True)
class TestALostHost:
    """Only a place with hosts can lose one."""

    def test_its_processes_are_started_again(self, theatre: Theatre) -> None:
        ended = theatre.play(
            {"agent-1": [Life(code=LOST), Life()], "coordinator": [Life(code=0, when=("agent-1", 2))]}
        )
        assert ended.code == ExitCode.DONE

    def test_that_hosts_are_lost_again_and_again_is_given_up(self, theatre: Theatre) -> None:
        ended = theatre.play({"agent-1": [Life(code=LOST)], "coordinator": [Life()]})
        assert ended.code == ExitCode.PEER_FAILED
        assert ended.why == "agent-1 was lost with host-5 and died 5 times without a round in between"

    def test_on_loss_fail_names_the_host(self, theatre: Theatre) -> None:
        ended = theatre.play({"agent-1": [Life(code=LOST)], "coordinator": [Life()]}, on_loss="fail")
        assert ended.why == "agent-1 was lost with host-1, and on-loss is fail"
