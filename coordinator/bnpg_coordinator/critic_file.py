"""The critic on disk, beside the run record: of the rounds that may have to be played again.

It is written before a signal goes out, as the line of the record is. Whoever dies between the two comes back
with the critic of that round, and of the next one, and announces to the bit what was to be announced.
"""

from pathlib import Path

from bnpg_protocol.process.fence import Fence
from bnpg_protocol.process.slots import SlotFile, kept_beside, read_slots

from bnpg_coordinator.critic_state import CriticState, decoded

CRITIC_FILE = "critic.slots"


class CriticFile:
    """The critic's file of a run folder, open for writing from the first writing on.

    Parameters
    ----------
    folder : Path
        The run folder.
    fsync : bool
        Whether what is written must survive a crash of the machine too.
    fence : Fence
        Of the folder.
    """

    def __init__(self, folder: Path, fsync: bool, fence: Fence) -> None:
        self._path = folder / CRITIC_FILE
        self._fsync = fsync
        self._fence = fence
        self._slots: SlotFile | None = None

    def write(self, round_: int, state: CriticState, keep: int | None = None) -> None:
        """Make the critic of a round durable, and keep those of the two rounds before that are here.

        Parameters
        ----------
        round_ : int
        state : CriticState
        keep : int, optional
            A round whose critic stays, whatever else goes.

        Raises
        ------
        StorageFailed
            If it cannot be written; those of the rounds before are untouched.
        """
        content = state.encoded()
        if self._slots is not None and self._slots.fits(content):
            self._slots.write(round_, content, keep)
            return
        held = read_slots(self._path) if self._path.exists() else {}
        self.close()
        rounds = [*kept_beside(held, round_, keep), (round_, content)]
        self._slots = SlotFile(self._path, rounds, self._fsync, self._fence)

    def close(self) -> None:
        """Keep no file open until the next writing."""
        if self._slots is not None:
            self._slots.close()
            self._slots = None


def read_critics(folder: Path) -> dict[int, CriticState]:
    """Return the critic of every round that a run folder holds, by round; empty if there is none.

    Raises
    ------
    InputError
        If there is something else.
    """
    path = folder / CRITIC_FILE
    if not path.exists():
        return {}
    return {
        round_: decoded(content, f"{path}, round {round_},") for round_, content in read_slots(path).items()
    }
