"""Calling what others wrote of a world: what goes wrong in it is one line, with the place where it did."""

from collections.abc import Callable
from typing import TypeVar

from bnpg_coordinator.environments.containment import contained
from bnpg_coordinator.environments.foreign import Hung, Unusable, described
from bnpg_coordinator.environments.watch import Watch
from bnpg_coordinator.worlds.interface import WorldFailed

T = TypeVar("T")


def guarded(call: Callable[[], T], patience: float, where: Callable[[], str]) -> T:
    """Return what a call of others' code returns.

    Parameters
    ----------
    call : callable
    patience : float
        Seconds after which it counts as hung.
    where : callable
        Says which lane and step it is about.

    Raises
    ------
    WorldFailed
        If it raises, exits, hangs, or what it gives is `Unusable`.
    """
    try:
        with contained():
            return Watch(patience, where).over(call)
    except Hung as at:
        why = f"the environment hangs, no answer for {patience:g} s"
        raise WorldFailed(f"{at}: {why}", hung=True) from None
    except (WorldFailed, KeyboardInterrupt):
        raise
    except Unusable as error:
        raise WorldFailed(f"{where()}: {error}") from None
    except BaseException as error:
        raise WorldFailed(f"{where()}: the environment raised {described(error)}") from error
