"""What an agent has heard and done in one round where there is a relay."""

import numpy as np
from bnpg_protocol.wire.addresses import name
from bnpg_protocol.wire.errors import OrderViolation
from bnpg_protocol.wire.messages import Digests
from bnpg_protocol.wire.rows import RowsDigest
from numpy.typing import NDArray

from bnpg_agents.relaying import Relaying, Rows
from bnpg_agents.round_buffer import RoundBuffer
from bnpg_math.arrays import IntArray
from bnpg_math.policies.interface import Seen


class RelayedBuffer(RoundBuffer):
    """A `RoundBuffer` whose `heard` holds, of those heard directly, arrays of rows.

    Parameters
    ----------
    round_ : int
    relaying : Relaying
        The links of the agent.
    """

    def __init__(self, round_: int, relaying: Relaying) -> None:
        super().__init__(round_, relaying.senders)
        self._relaying = relaying
        self._digests = {sender: RowsDigest() for sender in relaying.senders}

    def take_actions(self, parent: int, turn: int, actions: IntArray) -> bool:
        """Take in the rows of a parent's link in a turn; return False for a duplicate."""
        if actions.ndim != 2:
            raise OrderViolation(f"{name(parent)} sent ActionsChosen in a run with a relay")
        return super().take_actions(parent, turn, self._relaying.taken_in(parent, actions))

    def inputs(self) -> tuple[Seen, list[IntArray]]:
        """Return what is seen and the parents' actions, ascending by parent, of the next turn."""
        turn = len(self.chosen)
        seen = self.seen[turn]
        for sender, heard in self.heard.items():
            if heard[turn].shape[1] != len(seen):
                raise OrderViolation(
                    f"{name(sender)} sent actions of {heard[turn].shape[1]} lanes for {len(seen)} "
                    f"at round {self.round}, turn {turn}"
                )
        return seen, self._relaying.by_parent(self._rows(turn))

    def attested(self, turn: int) -> Digests:
        """Return the digests of what was acted on up to a turn; asked for once a turn, in their order."""
        for sender, heard in self.heard.items():
            self._digests[sender].add(heard[turn])
        joined = b"".join([digest.value for digest in self._digests.values()])
        digests: NDArray[np.uint8] = np.frombuffer(joined, dtype=np.uint8)
        return digests

    def handed_on(self, turn: int, own: IntArray) -> list[tuple[int, Rows]]:
        """Return the rows of a turn for every child that is told directly."""
        return self._relaying.handed_on(self._rows(turn), own)

    def acted_on(self, turn: int) -> dict[int, IntArray]:
        """Return the actions that a turn was acted on, by agent."""
        return {
            agent: row
            for sender, heard in self.heard.items()
            for agent, row in zip(self._relaying.carried[sender], heard[turn], strict=True)
        }

    def all_turns(self) -> tuple[Seen, list[IntArray], IntArray]:
        """Return what was seen, parents' actions and own actions of the whole round, laid end to end."""
        rows = [np.concatenate(heard, axis=1) for heard in self.heard.values()]
        return np.concatenate(self.seen), self._relaying.by_parent(rows), np.concatenate(self.chosen)

    def _rows(self, turn: int) -> list[Rows]:
        return [heard[turn] for heard in self.heard.values()]
