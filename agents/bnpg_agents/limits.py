"""What an agent may do in the lanes of a turn, and where it takes part at all."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from bnpg_protocol.wire.messages import ObservationsAnnounced
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.policies.interface import Legal


class Limits(NamedTuple):
    """Of one agent, in some lanes. Both arrays are read-only."""

    available: Legal
    """(n, A): 1 for the actions that may be taken, at least one in every lane where it takes part."""
    alive: NDArray[np.uint8]
    """(n,): 0 where it takes no part; there its action is 0, and counts for nothing."""


def limits_of(message: ObservationsAnnounced, actions: int) -> Limits | None:
    """Return what a turn limits; None if every action may be taken in every lane.

    Parameters
    ----------
    message : ObservationsAnnounced
        Well-formed, see `well_formed`.
    actions : int
        How many the agent has.
    """
    lanes = len(message.observations)
    if not len(message.available) and not len(message.alive):
        return None
    alive = message.alive if len(message.alive) else _ones(lanes)
    available = message.available if len(message.available) else _ones(lanes, actions)
    return Limits(available, alive)


def well_formed(message: ObservationsAnnounced, actions: int) -> bool:
    """Whether masks and flags fit the lanes of a turn, are 0 or 1, and leave every living lane an action."""
    lanes = len(message.observations)
    available, alive = message.available, message.alive
    if len(alive) not in (0, lanes) or (alive.size and alive.max() > 1):
        return False
    if not available.size and not len(available):
        return True
    if available.shape != (lanes, actions) or (available.size and available.max() > 1):
        return False
    some = available.any(axis=1)
    return bool((some | (alive == 0) if len(alive) else some).all())


def joined(turns: Sequence[Limits | None], lanes: Sequence[int], actions: int) -> Limits | None:
    """Return the limits of several turns, laid end to end; None if there are none.

    Parameters
    ----------
    turns : sequence of Limits or None
    lanes : sequence of int
        How many lanes each turn has.
    actions : int
    """
    if all(turn is None for turn in turns):
        return None
    whole = [
        Limits(_ones(n, actions), _ones(n)) if turn is None else turn
        for turn, n in zip(turns, lanes, strict=True)
    ]
    return Limits(
        np.concatenate([turn.available for turn in whole]), np.concatenate([turn.alive for turn in whole])
    )


def played(actions: IntArray, limits: Limits) -> IntArray:
    """Return actions that were drawn, and 0 in lanes where the agent takes no part."""
    if limits.alive.all():
        return actions
    taken: IntArray = np.where(limits.alive != 0, actions, 0).astype(actions.dtype)
    return taken


def counted(weights: FloatArray, limits: Limits) -> FloatArray:
    """Return the weights of lane steps, and 0 where the agent takes no part."""
    return weights * limits.alive


def choosable(limits: Limits) -> Legal:
    """Return what may be drawn: where the agent takes no part anything, since it is not taken."""
    anything: NDArray[np.uint8] = (limits.alive == 0).astype(np.uint8)
    return limits.available | anything[:, None]


def _ones(*shape: int) -> NDArray[Any]:
    return np.ones(shape, dtype=np.uint8)
