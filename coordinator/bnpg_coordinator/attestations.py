"""Whether agents acted on what the others told the coordinator: digests, compared before a signal."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from bnpg_protocol.wire.addresses import name, names
from bnpg_protocol.wire.errors import Equivocation, OrderViolation
from bnpg_protocol.wire.messages import ActionsAttested
from bnpg_protocol.wire.rows import SIZE, RowsDigest, row_type
from numpy.typing import NDArray

from bnpg_math.arrays import IntArray
from bnpg_math.dag import Dag
from bnpg_math.dag.routes import Carried, relayed


class Attestations:
    """What the agents of a run with a relay say they acted on, in the turns of one round.

    Parameters
    ----------
    dag : Dag
    actions : sequence of int
        How many actions each agent has.
    """

    def __init__(self, dag: Dag, actions: Sequence[int]) -> None:
        self._order = dag.order
        self._hears: tuple[Carried, ...] = relayed(dag).hears
        self._widest = row_type(max(actions))
        self._links = [
            [
                (_rows(carried), row_type(max(actions[parent] for parent in carried)) == self._widest)
                for _, carried in heard
            ]
            for heard in self._hears
        ]
        """Of every agent's links: which rows of all agents' each carries, and whether in the widest type."""
        self.begin()

    def begin(self) -> None:
        """Begin a round: nothing was acted on yet."""
        self._attested: list[list[bytes]] = [[] for _ in self._hears]
        self._digests = [[RowsDigest() for _ in links] for links in self._links]
        self._chosen: Sequence[Sequence[IntArray]] = ()
        self.turns = 0
        """How many turns are taken in."""

    def note(self, agent: int, message: ActionsAttested, where: str) -> bool:
        """Take in what an agent says it acted on up to a turn; return False for a duplicate.

        Raises
        ------
        OrderViolation
            If it is not a digest for every agent that it hears directly.
        Equivocation
            If it said something else for this turn before.
        """
        digests, known = message.digests.tobytes(), self._attested[agent]
        expected = SIZE * len(self._hears[agent])
        if len(digests) != expected:
            raise OrderViolation(
                f"{name(agent)} attests with {len(digests)} bytes of digests at {where}, expected {expected}"
            )
        if message.turn < len(known):
            if known[message.turn] != digests:
                raise Equivocation(f"{name(agent)} attests two different things at {where}")
            return False
        known.append(digests)
        return True

    def catch_up(self, chosen: Sequence[Sequence[IntArray]], turns: int) -> None:
        """Take in what everybody chose in the turns that are complete, as it was told at first hand.

        Parameters
        ----------
        said : by agent, by turn, (B,) int
        turns : int
            How many turns are complete.
        """
        self._chosen = chosen
        for turn in range(self.turns, turns):
            everybody = self._everybody(turn)
            # Most links carry agents in line, whose rows lie one behind the other already.
            data, size = memoryview(everybody.tobytes()), everybody.nbytes // len(everybody)
            for links, digests in zip(self._links, self._digests, strict=True):
                for (rows, widest), digest in zip(links, digests, strict=True):
                    if widest and type(rows) is slice:
                        digest.add_bytes(data[rows.start * size : rows.stop * size])
                    else:
                        digest.add(_carried(everybody, rows, widest))
        self.turns = turns

    def _everybody(self, turn: int) -> "NDArray[np.integer[Any]]":
        """Return what all agents chose in a turn, (N, B), in the widest type."""
        rows = np.concatenate(
            [actions[turn] for actions in self._chosen], dtype=self._widest, casting="unsafe"
        )
        return rows.reshape(len(self._chosen), -1)

    def check(self, round_: int) -> None:
        """Find out whether everybody acted on what was told at first hand, in all turns of the round.

        Digests run on, so those of the last turn are enough; where they differ, those of all turns are made
        to find the first that does. Agents are looked at in the order of the DAG: the first that acted on
        something else was told it by one that was itself told the truth, as far as it says.

        Raises
        ------
        Equivocation
            Naming the two of whom one lies.
        """
        for agent in self._order:
            attested = self._attested[agent]
            last = b"".join([digest.value for digest in self._digests[agent]])
            if attested[-1:] == [last][: self.turns]:
                continue
            expected = self._expected(agent)
            pairs = enumerate(zip(attested, expected, strict=True))
            turn = next(at for at, (first, other) in pairs if first != other)
            for place, (sender, carried) in enumerate(self._hears[agent]):
                part = slice(place * SIZE, (place + 1) * SIZE)
                if attested[turn][part] != expected[turn][part]:
                    raise Equivocation(
                        f"{name(agent)} acted at round {round_}, turn {turn} on other actions than were "
                        f"chosen, as it says: what {name(sender)} sent it of {names(carried)} differs from "
                        f"what the coordinator was told; {name(sender)} or {name(agent)} lies"
                    )

    def _expected(self, agent: int) -> list[bytes]:
        """Return the digests that an agent should have told, turn by turn."""
        digests = [RowsDigest() for _ in self._links[agent]]
        expected = []
        for turn in range(self.turns):
            everybody = self._everybody(turn)
            for (rows, widest), digest in zip(self._links[agent], digests, strict=True):
                digest.add(_carried(everybody, rows, widest))
            expected.append(b"".join([digest.value for digest in digests]))
        return expected


def _carried(
    everybody: "NDArray[np.integer[Any]]", rows: "slice | list[int]", widest: bool
) -> "NDArray[np.integer[Any]]":
    """Return the rows of a link, in its type."""
    picked = everybody[rows]
    return picked if widest else picked.astype(row_type(1))


def _rows(agents: tuple[int, ...]) -> "slice | list[int]":
    """Return where the rows of some agents are among those of all; without a copy where they are in line."""
    first, last = agents[0], agents[-1]
    return slice(first, last + 1) if last - first + 1 == len(agents) else list(agents)
