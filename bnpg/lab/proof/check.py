"""Proving from the files alone that a run was in order and that every update was applied exactly once.

What is proved, in this order; each step may rely on those before:

1. `reading`: every file is whole: numbered, chained, every line an event.
2. `lives`: the files belong to one run, none is missing, each end that is missing is explained by a kill.
3. `messages`: first in first out on each link of each epoch; every receive has its send, with the same
   content; every needed send has its receive.
4. `precedence`: every event of a process has the earlier ones that it needs, and none happens twice: acts
   after its states and all its parents' actions, updates applied once and in order, signals after
   everybody's actions, no round before everybody has finished the last.
5. `content`: nobody contradicts itself, in no replay either; the chain of thetas is unbroken over all lives.
6. `messages` again: time and Lamport's clock, which leave no event of a process another place than its own.

`reference` then compares all of it with the run recomputed in one process.
"""

from dataclasses import dataclass

from bnpg_protocol.wire.exit_codes import RunState

from bnpg.lab.proof.content import Content, collect
from bnpg.lab.proof.messages import check_clocks, check_messages
from bnpg.lab.proof.precedence import check_precedence
from bnpg.trace.lives import Lives
from bnpg.trace.reading import Life, Violation


@dataclass
class Proof:
    """What was counted while proving."""

    run: Lives
    content: Content
    processes: int
    lives: int
    events: int
    messages: int
    cut_off: int
    """Messages rightly never received: their epoch was given up, or the run ended before."""
    acts: int
    rounds: int
    """Updates that every agent has applied."""
    updates: int
    """Updates applied, over all agents, each counted once."""
    again: int
    """Updates that were applied again because a process died before they were durable."""
    broken_off: tuple[str, ...] = ()
    """Files, and the line after which each breaks off because its process's disk was full."""
    state: RunState = "interrupted"
    """How the run ended, as far as it did."""


def check_trace(lives: list[Life], done: bool) -> Proof:
    """Prove that a trace is in order.

    Parameters
    ----------
    lives : list of Life
        From `read_trace`.
    done : bool
        Whether the run folder says that all rounds are done; then nothing may be missing at the end.

    Raises
    ------
    Violation
        The first one found, with the events that show it.
    """
    run = Lives(lives, done)
    run.check()
    messages = check_messages(run)
    acts, applied = check_precedence(run)
    content = collect(run)
    for life in lives:
        check_clocks(life)
    reached = [max(thetas, default=0) for thetas in content.thetas]
    for agent, thetas in enumerate(content.thetas):
        missing = sorted(set(range(max(thetas, default=0) + 1)) - set(thetas))
        if missing:
            last = thetas[max(thetas)][1]
            raise Violation(
                f"agent-{agent} reaches theta of round {max(thetas)} without that of {missing[0]}", last
            )
    proof = Proof(
        run=run,
        content=content,
        processes=run.agents + 1,
        lives=len(lives),
        events=sum(len(life.events) for life in lives),
        messages=messages.received,
        cut_off=messages.cut_off,
        broken_off=messages.broken_off,
        acts=acts,
        rounds=min(reached),
        updates=sum(reached),
        again=applied - sum(reached),
    )
    if run.conclusion is not None:
        proof.state = run.conclusion.state
    elif run.killed_after_finish:
        proof.state = "done"
    if proof.state == "done":
        _check_length(run, reached)
    return proof


def _check_length(run: Lives, reached: list[int]) -> None:
    """In a run that is done, everybody has applied all updates; fewer only where it may stop early."""
    last = run.concluded or run.coordinators[-1].events[-1]
    rounds = run.conclusion.rounds if run.conclusion is not None else max(reached)
    expected = run.start.rounds
    assert isinstance(expected, int)
    if rounds != expected and not (run.start.stops_early and rounds < expected):
        raise Violation(f"the run is done after {rounds} rounds, expected {expected}", last)
    for agent, updates in enumerate(reached):
        if updates != rounds:
            why = f"the run is done, but agent-{agent} has applied {updates} of {rounds} updates"
            raise Violation(why, last)
