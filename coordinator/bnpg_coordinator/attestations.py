"""Whether agents acted on what the others told the coordinator: digests, compared before a signal."""

from collections.abc import Sequence

import numpy as np
from bnpg_protocol.wire.addresses import name, names
from bnpg_protocol.wire.errors import Equivocation, OrderViolation
from bnpg_protocol.wire.messages import ActionsAttested
from bnpg_protocol.wire.rows import SIZE, RowsDigest, row_type

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
            (agent, _rows(carried), row_type(max(actions[parent] for parent in carried)))
            for agent, heard in enumerate(self._hears)
            for _, carried in heard
        ]
        """Of every link, by its receiver: which rows of all agents' it carries, and their type."""
        self.begin()

    def begin(self) -> None:
        """Begin a round: nothing was acted on yet."""
        self._attested: list[list[bytes]] = [[] for _ in self._hears]
        self._expected: list[list[bytes]] = [[] for _ in self._hears]
        self._digests = [RowsDigest() for _ in self._links]
        self._turns = 0

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
        for turn in range(self._turns, turns):
            everybody = np.array([actions[turn] for actions in chosen], dtype=self._widest)
            for expected in self._expected:
                expected.append(b"")
            for (agent, rows, dtype), digest in zip(self._links, self._digests, strict=True):
                digest.add(everybody[rows].astype(dtype, copy=False))
                self._expected[agent][turn] += digest.value
        self._turns = turns

    def check(self, round_: int) -> None:
        """Find out whether everybody acted on what was told at first hand, in all turns of the round.

        Digests run on, so those of the last turn are enough; where they differ the first turn that does is
        looked for. Agents are looked at in the order of the DAG: the first that acted on something else was
        told it by one that was itself told the truth, as far as it says.

        Raises
        ------
        Equivocation
            Naming the two of whom one lies.
        """
        for agent in self._order:
            attested, expected = self._attested[agent], self._expected[agent]
            if attested[-1:] == expected[-1:]:
                continue
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


def _rows(agents: tuple[int, ...]) -> "slice | list[int]":
    """Return where the rows of some agents are among those of all; without a copy where they are in line."""
    first, last = agents[0], agents[-1]
    return slice(first, last + 1) if last - first + 1 == len(agents) else list(agents)
