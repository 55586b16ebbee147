"""Checkpoints sealed by an agent for itself, so that somebody else can keep what only it can read.

AES-SIV (RFC 5297) with a key of 64 bytes: who does not have the key can neither read nor make one. Sealed
with it are the run, the agent, and the outside with its round, so that a checkpoint of another run, agent or
round does not open. There is no nonce: the same checkpoint of the same life is sealed to the same bytes, so
that a round that is played again says the same again. Equal bytes of two rounds would tell that theta did not
change, which their digests tell anyway.
"""

from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from bnpg_protocol.wire.errors import OrderViolation
from bnpg_protocol.wire.messages import CheckpointSealed, CheckpointsReturned
from bnpg_protocol.wire.sealed import HEAD, enclosed, round_of

from bnpg_agents.npy import as_npy, from_npy
from bnpg_agents.snapshot import Snapshot
from bnpg_math.errors import InputError

KEY_BYTES = 64
_PURPOSE = b"bnpg checkpoint 1"


class Returned(NamedTuple):
    """What came back from whoever kept it."""

    held: dict[int, Snapshot]
    experiment: str
    """Digest of the experiment the thetas belong to; empty if nothing came back."""
    incarnation: int
    """The latest life of the agent that is known."""


class Seal:
    """What an agent seals with.

    Parameters
    ----------
    key : bytes
        64 bytes that only this agent, or only its team, has.

    Raises
    ------
    InputError
        If the library for it is not installed.
    """

    def __init__(self, key: bytes) -> None:
        try:
            ciphers: Any = import_module("cryptography.hazmat.primitives.ciphers.aead")
        except ModuleNotFoundError:
            raise InputError(
                "--seal needs cryptography, which is not installed: pip install 'bnpg[sealed]'"
            ) from None
        if len(key) != KEY_BYTES:
            raise InputError(f"a key to seal with has {KEY_BYTES} bytes, got {len(key)}")
        self._siv = ciphers.AESSIV(key)
        self._refused: type[Exception] = import_module("cryptography.exceptions").InvalidTag

    def seal(self, run: str, agent: int, life: tuple[str, int], round_: int, snapshot: Snapshot) -> bytes:
        """Return a sealed checkpoint.

        Parameters
        ----------
        run : str
            Identity of the run.
        agent : int
        life : (str, int)
            Digest of the experiment, and which life of the agent this is.
        round_ : int
        snapshot : Snapshot
            What the agent holds of that round.
        """
        experiment, incarnation = life
        inside = f"{experiment}\n{incarnation}\n".encode() + as_npy(snapshot)
        return enclosed(round_, self._siv.encrypt(inside, _around(run, agent, round_)))

    def unseal(self, run: str, agent: int, sealed: bytes) -> tuple[int, Snapshot, str, int]:
        """Return the round of a sealed checkpoint, what is in it, and the experiment and life it is of.

        Raises
        ------
        InputError
            If it was changed, or was not sealed by this agent in this run with this key.
        """
        try:
            round_ = round_of(sealed)
        except OrderViolation as error:
            raise InputError(str(error)) from None
        try:
            inside = self._siv.decrypt(sealed[HEAD.size :], _around(run, agent, round_))
        except (self._refused, ValueError):
            raise InputError(
                f"the sealed checkpoint of round {round_} does not open: expected one that agent {agent} "
                f"sealed in run {run:.16} with this key, got one that was changed, or of another agent, run "
                "or key"
            ) from None
        experiment, incarnation, content = inside.split(b"\n", 2)
        return round_, from_npy(content), experiment.decode(), int(incarnation)

    def returned(self, run: str, message: CheckpointsReturned, least: int) -> Returned:
        """Open what was kept of an agent.

        Parameters
        ----------
        run : str
            Identity of the run that it is returned in.
        message : CheckpointsReturned
        least : int
            The newest round must be this one or a later one.

        Raises
        ------
        InputError
            If anything of it is not what this agent sealed, or if it is older than `least`.
        """
        sizes, whole = message.sizes, message.sealed.tobytes()
        if len(sizes) != len(message.rounds) or sum(sizes) != len(whole):
            raise InputError(
                f"expected sealed checkpoints of rounds {message.rounds} in {len(whole)} bytes, "
                f"got sizes {sizes}"
            )
        held: dict[int, Snapshot] = {}
        experiments: set[str] = set()
        incarnation = message.incarnation
        for round_, size in zip(message.rounds, sizes, strict=True):
            sealed, whole = whole[:size], whole[size:]
            of, snapshot, experiment, life = self.unseal(run, message.agent, sealed)
            if of != round_:
                raise InputError(f"expected the sealed checkpoint of round {round_}, got that of round {of}")
            held[of] = snapshot
            experiments.add(experiment)
            incarnation = max(incarnation, life)
        newest = max(held, default=0)
        if newest < least:
            got = f"round {newest}" if held else "none"
            raise InputError(f"expected a sealed checkpoint of round {least} or later, got {got}: an old one")
        if len(experiments) > 1:
            raise InputError(f"expected sealed checkpoints of one experiment, got {sorted(experiments)}")
        return Returned(dict(sorted(held.items())), "".join(experiments), incarnation)

    def message(
        self, run: str, agent: int, life: tuple[str, int], round_: int, snapshot: Snapshot
    ) -> CheckpointSealed:
        """Return what is sent to the coordinator to keep; see `seal`."""
        content = np.frombuffer(self.seal(run, agent, life, round_, snapshot), dtype=np.uint8)
        return CheckpointSealed(round_, content)


def _around(run: str, agent: int, round_: int) -> list[bytes]:
    """Return what a sealed checkpoint is bound to."""
    return [_PURPOSE, run.encode(), str(agent).encode(), str(round_).encode()]
