"""Exit codes of every process and command; `docs/reference/exit-codes.md` explains them."""

from enum import IntEnum
from typing import Literal

RunState = Literal["done", "interrupted", "failed"]
"""How a run ended."""


class ExitCode(IntEnum):
    """What a process says by ending."""

    DONE = 0
    """Everything asked for was done."""
    INTERNAL = 1
    """A defect of bnpg itself; please report it."""
    USAGE = 2
    """Wrong usage or a bad input file."""
    PEER_FAILED = 3
    """A peer or process failed and the policy was to fail."""
    DEADLINE = 4
    """A deadline passed; the message names whom it waited for."""
    VIOLATION = 5
    """A check (`trace check`, `verify`) found a violation."""
    PROTOCOL = 6
    """A peer broke the protocol beyond repair, for example by equivocation."""
    STORAGE = 7
    """A checkpoint or record could not be written (a full disk), or memory ran out."""
    REJECTED = 8
    """The coordinator rejected this agent: another experiment, version, or a newer incarnation."""
    WORLD = 9
    """The environment raised, or gave what cannot be used; the message names lane, step and agent."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C, SIGTERM or a closed terminal; the run can be resumed."""


def run_state(code: ExitCode) -> RunState:
    """Return how a run ended, by the exit code of its coordinator or launcher."""
    states: dict[ExitCode, RunState] = {ExitCode.DONE: "done", ExitCode.INTERRUPTED: "interrupted"}
    return states.get(code, "failed")
