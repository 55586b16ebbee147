"""How a run is launched; nothing of this changes its result."""

from typing import Annotated, Literal

from bnpg_protocol.wire.exit_codes import ExitCode
from msgspec import Meta, Struct

TRACE_FOLDER = "trace"
"""Where in the run folder the message trace goes."""


class LaunchSettings(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """Where and how the processes of a run live."""

    launcher: Literal["memory", "local"] = "local"
    transport: Literal["ipc", "tcp"] = "ipc"
    patience: Annotated[float, Meta(gt=0)] = 120.0
    """Seconds without any progress after which the run is given up, naming whom it waited for."""
    on_loss: Literal["wait", "fail"] = "wait"
    """What happens when an agent process dies: it is started again, or the run fails."""
    fsync: bool = True
    """Whether checkpoints and record must survive a crash of the machine, not only of a process."""
    faults: str = ""
    """Name of a fault plan in the run folder; empty for none."""
    log: tuple[Literal["csv", "tensorboard"], ...] = ()
    """Formats in which the record is also kept, beside `metrics.jsonl`."""
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "warning"


class Outcome(Struct, frozen=True):
    """How a run ended."""

    code: ExitCode
    why: str
    processes: int
