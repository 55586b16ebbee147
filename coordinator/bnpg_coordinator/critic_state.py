"""What the critic is at the beginning of a round: its parameters, its optimiser's memory, and its scale."""

import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from bnpg_protocol.wire.errors import OrderViolation

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.named import Arrays, digest, packed, unpacked
from bnpg_math.errors import InputError

_NOTHING: Mapping[str, FloatArray] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class CriticState:
    """The critic of one round.

    Parameters
    ----------
    theta : dict from str to array
        Parameters of its network.
    memory : dict from str to array
        Of Adam; empty at the beginning.
    scale : dict from str to array
        Of the returns, `bnpg_math.learning.value_normaliser`; empty at the beginning.
    """

    theta: Arrays
    memory: Arrays = field(default_factory=lambda: _NOTHING)
    scale: Arrays = field(default_factory=lambda: _NOTHING)

    def _groups(self) -> dict[str, Arrays]:
        return {"critic": self.theta, "optimiser": self.memory, "scale": self.scale}

    @property
    def digest(self) -> str:
        """Digest of all of it."""
        groups = self._groups().items()
        return digest({f"{group}/{name}": array for group, named in groups for name, array in named.items()})

    def encoded(self) -> bytes:
        """Return all of it as one file of numpy."""
        content = io.BytesIO()
        np.save(content, packed(self._groups()), allow_pickle=False)
        return content.getvalue()


def decoded(content: bytes, where: str) -> CriticState:
    """Return what was encoded.

    Raises
    ------
    InputError
        If it is something else; the text begins with `where`.
    """
    try:
        record = np.load(io.BytesIO(content), allow_pickle=False)
        groups = unpacked(record)
        return CriticState(groups["critic"], groups.get("optimiser", {}), groups.get("scale", {}))
    except Exception as reason:  # numpy parses a header with more than one parser, each with its own errors
        why = " ".join(str(reason).split())[:120]
        raise InputError(f"{where} holds no critic: {why}") from None


def check_held(held: Collection[int], round_: int) -> None:
    """Check that a run can go on at a round with the critics that are held; that of round 0 is always known.

    Raises
    ------
    OrderViolation
        If that of the round is not among them.
    """
    if round_ and round_ not in held:
        stored = ", ".join(map(str, sorted(held))) or "none"
        raise OrderViolation(
            f"the run goes on at round {round_}, but the critics that are stored are those of {stored}: "
            "critic.slots was lost or belongs to another moment of the run"
        )
