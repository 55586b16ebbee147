"""How a process of a run is started, whichever it is."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from bnpg_protocol.process.settings import Setting

Positive = Annotated[float, Meta(gt=0, le=sys.float_info.max)]
NotNegative = Annotated[float, Meta(ge=0, le=sys.float_info.max)]


class ProcessOptions(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """The settings that agents and the coordinator have in common."""

    key: Annotated[Path | None, Setting("Its private key; mandatory off this machine.", symbol="FILE")] = None
    key_group: Annotated[
        bool,
        Setting(
            "Whether the group of {key} may read it too, as where Kubernetes mounts it from a secret; the "
            "log says so. Others never may."
        ),
    ] = False
    metrics_listen: Annotated[
        str | None, Setting("Serve `/metrics` and `/health` there.", symbol="HOST:PORT")
    ] = None
    faults: Annotated[
        Path | None, Setting("Inject the faults of a plan.", symbol="PLAN.toml", variable="BNPG_FAULTS")
    ] = None
    faults_since: Annotated[
        NotNegative,
        Setting(
            "Unix time at which the run started; the plan's times count from there.",
            symbol="SECONDS",
            internal=True,
        ),
    ] = 0.0
    fsync: Annotated[
        bool, Setting("Whether what it writes survives a crash of the machine, not only of the process.")
    ] = True
    lifeline: Annotated[
        bool,
        Setting("End when standard input is closed: whoever started this process is gone.", internal=True),
    ] = False
    fence: Annotated[
        Path | None,
        Setting(
            "The fence of the launcher that has the run folder; without one the process takes it over.",
            symbol="FILE",
            internal=True,
        ),
    ] = None
    log_format: Annotated[Literal["text", "json"], Setting("Of the log on stderr.")] = "text"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Setting("The least that is logged on stderr.")
    ] = "info"
    log_file: Annotated[
        Path | None, Setting("Append the log, from `info` on, to a file too.", symbol="FILE")
    ] = None
