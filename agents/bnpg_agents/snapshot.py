"""What an agent holds of a round: its policy's theta, and what its optimiser remembers, as named arrays.

On disk it is one numpy array, written and lost as one. A theta that is a single array, with nothing
remembered, is that very array; everything else is a record whose fields are the named arrays, those of the
optimiser with `OF_OPTIMISER` before their names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.named import Arrays, digest, flat
from bnpg_math.errors import PolicyError
from bnpg_math.learning.adam import STEPS

OF_OPTIMISER = "optimiser/"
_NOTHING: Mapping[str, FloatArray] = MappingProxyType({})
_FORMER_ORIGIN = "origin"
"""How the state of momentum beside a table was called in the first checkpoints that had one."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Theta of one round, and what the optimiser left behind when it came there.

    Parameters
    ----------
    theta : dict from str to array
        Parameters of the policy, read-only.
    state : dict from str to array
        Of the optimiser, read-only; empty for plain ascent.
    """

    theta: Arrays
    state: Arrays = field(default_factory=lambda: _NOTHING)

    @cached_property
    def digest(self) -> str:
        """What an agent reports of its update: digest of theta, and of what Adam remembers.

        Of momentum theta alone counts, as in the traces of the first version.
        """
        if STEPS not in self.state:
            return digest(self.theta)
        return digest({**self.theta, **{OF_OPTIMISER + name: array for name, array in self.state.items()}})

    @property
    def flat(self) -> FloatArray:
        """All parameters: a table as it is, those of a network as one vector, layer by layer."""
        return flat(self.theta)

    @property
    def table(self) -> FloatArray:
        """Theta as one array.

        Raises
        ------
        PolicyError
            If it is several.
        """
        if len(self.theta) != 1:
            raise PolicyError(f"theta must be one array to be shown, got {', '.join(sorted(self.theta))}")
        [array] = self.theta.values()
        return array

    def packed(self) -> NDArray[Any]:
        """Return all of it as one array in C order."""
        if set(self.theta) == {"theta"} and not self.state:
            return np.ascontiguousarray(self.theta["theta"], dtype="<f8")
        arrays = {**self.theta, **{OF_OPTIMISER + name: array for name, array in self.state.items()}}
        record = np.zeros((), dtype=[(name, "<f8", array.shape) for name, array in arrays.items()])
        for name, array in arrays.items():
            record[name] = array
        return record


def of_table(theta: FloatArray) -> Snapshot:
    """Return the snapshot of a single array, with nothing remembered."""
    return Snapshot({"theta": theta})


def unpacked(array: NDArray[Any]) -> Snapshot:
    """Return the snapshot that was packed into an array; its arrays are read-only."""
    if array.dtype.names is None:
        array.flags.writeable = False
        return of_table(array)
    theta: dict[str, FloatArray] = {}
    state: dict[str, FloatArray] = {}
    for name in array.dtype.names:
        part: FloatArray = np.array(array[name], order="C")
        part.flags.writeable = False
        if name.startswith(OF_OPTIMISER):
            state[name.removeprefix(OF_OPTIMISER)] = part
        elif array.shape and name == _FORMER_ORIGIN:
            state["theta"] = part
        else:
            theta[name] = part
    return Snapshot(theta, state)
