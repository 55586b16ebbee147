"""How a run is launched; nothing of this changes its result."""

import os
import sys
from importlib.metadata import entry_points
from typing import Annotated, Any, Literal

import msgspec
from bnpg_coordinator.options import EnvironmentWorkers, OnLostState, Patience, Relay
from bnpg_protocol.process.settings import Setting, SettingError, convert, did_you_mean, listed
from bnpg_protocol.wire.exit_codes import ExitCode
from msgspec import Meta, Struct

from bnpg_math.errors import InputError

Positive = Annotated[float, Meta(gt=0, le=sys.float_info.max)]
NotNegative = Annotated[float, Meta(ge=0, le=sys.float_info.max)]

OURS = ("memory", "local", "slurm", "ray")
"""Launchers that are there always, though what some need may not be."""
ON_THIS_HOST = ("memory", "local")
"""Those whose processes all run here: they see a temporary folder, and keep all thetas in the run folder."""
ENTRY_POINTS = "bnpg.launchers"
"""The group of entry points by which packages bring others."""
WITHOUT = {"address": ("memory", "local", "slurm"), "advertise": ON_THIS_HOST}
"""Those of our launchers that know nothing of a setting."""
TRACE_FOLDER = "trace"
"""Where in the run folder the message trace goes."""
LOGS_FOLDER = "logs"
"""In the run folder: a log a process, from whichever host it is on."""


class LaunchSettings(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """Where and how the processes of a run live, in the order in which it is stored."""

    launcher: Annotated[
        Annotated[str, Meta(pattern=r"^[A-Za-z][\w.-]*$")],
        Setting(
            "`memory`: all in one process; `local`: a process for everyone on this machine; `slurm`, `ray`: "
            "agents on the hosts of a Slurm allocation or of a Ray cluster; or one that an installed package "
            "brings.",
            symbol="NAME",
        ),
    ] = "local"
    transport: Annotated[
        Literal["ipc", "tcp", "unix"],
        Setting("What carries messages between local processes: ZeroMQ (ipc, tcp) or stream sockets (unix)."),
    ] = "ipc"
    relay: Relay = "off"
    patience: Patience = 120.0
    on_loss: Annotated[
        Literal["wait", "fail"], Setting("When a process dies: start it again, or fail the run.")
    ] = "wait"
    replace_after: Annotated[
        NotNegative,
        Setting(
            "Start an agent elsewhere when nothing was heard of it for so long.",
            symbol="SECONDS",
            unit="seconds",
            remark=": never",
        ),
    ] = 0.0
    on_lost_state: OnLostState = "fail"
    seal: Annotated[
        str,
        Setting(
            "Seal every checkpoint with this key, made by `bnpg keys seal`, and let the coordinator keep it, "
            "which cannot read it: an agent whose state folder is lost goes on from there.",
            symbol="FILE",
        ),
    ] = ""
    environment_workers: EnvironmentWorkers = 0
    advertise: Annotated[
        str,
        Setting(
            "Host under which others reach the coordinator, where agents are on other hosts.",
            symbol="HOST",
        ),
    ] = "auto"
    address: Annotated[
        str,
        Setting(
            "Of the Ray cluster, as HOST:PORT of its head; `auto` is the one this host belongs to.",
            symbol="HOST:PORT",
        ),
    ] = "auto"
    fsync: Annotated[
        bool, Setting("Whether the run survives a crash of the machine, not only of a process.")
    ] = True
    faults: Annotated[str, Setting("Name of a fault plan in the run folder.", internal=True)] = ""
    log: Annotated[
        tuple[Literal["csv", "tensorboard"], ...],
        Setting(
            "Keep the record also as `csv` (`metrics.csv`) or `tensorboard` (`tensorboard/`).",
            symbol="FORMAT,..",
        ),
    ] = ()
    log_format: Annotated[Literal["text", "json"], Setting("Of the log on stderr.")] = "text"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Setting("The least that is logged on stderr.")
    ] = "warning"


class Outcome(Struct, frozen=True):
    """How a run ended."""

    code: ExitCode
    why: str
    processes: int


def check_name(launcher: str) -> None:
    """Refuse a launcher that is neither ours nor an installed package's.

    Raises
    ------
    SettingError
        Naming those that there are.
    """
    if launcher in OURS:
        return
    others = {point.name for point in entry_points(group=ENTRY_POINTS)}
    if launcher not in others:
        known = (*OURS, *sorted(others))
        expected = f"expected {listed([repr(name) for name in known])}, got {launcher!r}"
        raise SettingError("launcher", expected + did_you_mean(launcher, known, "; "))


def settings_from(given: dict[str, Any], base: LaunchSettings | None = None) -> LaunchSettings:
    """Return launch settings with the given ones, by their keys, over those of `base`.

    Raises
    ------
    InputError
        Naming the setting that cannot be used.
    """
    fields = msgspec.to_builtins(base or LaunchSettings())
    try:
        settings = convert(fields | given, LaunchSettings)
        check_name(settings.launcher)
        # A run is resumed from wherever one is.
        return msgspec.structs.replace(settings, seal=settings.seal and os.path.abspath(settings.seal))
    except SettingError as error:
        raise InputError(str(error)) from None


def asked_settings(given: dict[str, Any], base: LaunchSettings | None = None) -> LaunchSettings:
    """Return launch settings as `settings_from`, of which the given ones are what somebody asks for.

    Raises
    ------
    InputError
        Naming the setting that cannot be used, or that the launcher knows nothing of.
    """
    settings = settings_from(given, base)
    for key, launchers in WITHOUT.items():
        if key in given and settings.launcher in launchers:
            others = listed([one for one in OURS if one not in launchers])
            raise InputError(f"{key} is of launcher {others}, got launcher {settings.launcher}")
    return settings
