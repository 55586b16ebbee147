"""Launchers and pools by name. Ours are listed here; a package brings others as entry points.

Nothing of an engine is imported unless it is asked for.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bnpg_agents.sealing import Seal
from bnpg_protocol.process.security.seal_key import read_seal_key
from bnpg_protocol.wire.errors import InsecureSetup

from bnpg.extras import require
from bnpg.launchers.settings import LaunchSettings
from bnpg_math.errors import InputError

if TYPE_CHECKING:
    from bnpg.launchers.launch import Launch


class Engine(NamedTuple):
    """Where something of an engine is, and which extra brings what it needs."""

    module: str
    attribute: str
    needs: str = ""
    """A package that must be there."""
    extra: str = ""


LAUNCHERS = {
    "memory": Engine("bnpg.launchers.memory", "launch"),
    "local": Engine("bnpg.launchers.local", "launch"),
    "slurm": Engine("bnpg.launchers.slurm", "launch"),
    "ray": Engine("bnpg.launchers.ray_launcher", "launch", "ray", "ray"),
}
"""Entry points of the group `bnpg.launchers` are added to these."""
POOLS = {
    "local": Engine("bnpg.sweeps.workers", "local_pool"),
    "slurm": Engine("bnpg.sweeps.slurm_pool", "SlurmPool", "submitit", "slurm"),
    "ray": Engine("bnpg.sweeps.ray_pool", "RayPool", "ray", "ray"),
}
"""Entry points of the group `bnpg.pools` are added to these."""


def find_launcher(name: str) -> "Launch":
    """Return the launcher of a name.

    Raises
    ------
    InputError
        If there is none, or an extra is missing.
    """
    launcher: Launch = _find(name, LAUNCHERS, "bnpg.launchers", "launcher")
    return launcher


def check_launcher(settings: LaunchSettings) -> None:
    """Refuse a launcher that cannot be used here, before anything is made for it.

    Raises
    ------
    InputError
        Saying what is missing.
    """
    check_seal(settings)
    if "tensorboard" in settings.log:
        require("tensorboardX", "--log tensorboard")
    found = find_launcher(settings.launcher)
    check = getattr(import_module(found.__module__), "check", None)
    if check is not None:
        check(settings)


def check_seal(settings: LaunchSettings, said: str = "--seal") -> None:
    """Refuse a key to seal with that cannot be used, before anything is changed.

    Parameters
    ----------
    settings : LaunchSettings
    said : str
        Where it was named.

    Raises
    ------
    InputError
        Saying what is wrong.
    """
    if settings.seal:
        try:
            Seal(read_seal_key(Path(settings.seal)))
        except InsecureSetup as error:
            raise InputError(f"{said} {error}") from None


def find_pool(name: str) -> Callable[..., Any]:
    """Return what makes the pool of a name.

    Raises
    ------
    InputError
        If there is none, or an extra is missing.
    """
    return _find(name, POOLS, "bnpg.pools", "engine")


def _find(name: str, ours: dict[str, Engine], group: str, option: str) -> Callable[..., Any]:
    engine = ours.get(name)
    if engine is None:
        others = {point.name: point for point in entry_points(group=group)}
        if name not in others:
            raise InputError(f"--{option}: expected one of {', '.join(sorted({*ours, *others}))}, got {name}")
        found: Callable[..., Any] = others[name].load()
        return found
    if engine.needs and find_spec(engine.needs) is None:
        raise InputError(
            f"--{option} {name} needs {engine.needs}, which is not installed: "
            f"pip install 'bnpg[{engine.extra}]'"
        )
    made: Callable[..., Any] = getattr(import_module(engine.module), engine.attribute)
    return made
