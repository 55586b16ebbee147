"""An agent's own folder: who it is, how often it was started, and its theta of the last rounds.

The thetas are in `theta.slots`, as files of numpy; how they are stored, `bnpg_protocol.process.slots` says.
The one before the last is kept, so that a round which not everybody has finished can be played again. What is
in one, `bnpg_agents.snapshot` says. Earlier versions wrote `theta-ROUND-DIGEST.npy`, a file a round; such a
folder is read, and has slots from its next round on.
"""

import hashlib
import re
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Annotated, BinaryIO

from bnpg_protocol.process.fence import Fence
from bnpg_protocol.process.files import make_folder, next_count, replace_file, sync_folder, write_atomically
from bnpg_protocol.process.slots import SLOTS, Slot, SlotFile, kept_beside, read_slots, slots_of
from bnpg_protocol.wire.errors import StorageFailed
from msgspec import Meta, Struct, json, structs

from bnpg_agents.npy import as_npy, from_npy
from bnpg_agents.snapshot import Snapshot
from bnpg_files.reading import opened, read_bytes, read_json
from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.numerics import fingerprint
from bnpg_math.errors import InputError

SLOTS_FILE = "theta.slots"
IDENTITY_FILE = "agent.json"
_FORMER = re.compile(r"theta-(\d+)-([0-9a-f]{16})\.npy")


class _Identity(Struct, frozen=True, omit_defaults=True):
    """What `agent.json` holds."""

    agent: Annotated[int, Meta(ge=0)]
    experiment: str
    numerics: str | None = None
    archived: bool = False
    """Whether all of it was put aside: then it is nobody's, and what is left is to be removed."""


class CheckpointFolder:
    """State of one agent on disk.

    Parameters
    ----------
    path : Path
        Made if missing.
    fsync : bool
        Whether checkpoints must survive a crash of the machine, not only of the process.
    fence : Fence, optional
        Of the run folder that this one is a part of. Without one the first writing takes the folder over from
        whoever has it: an earlier life of the agent that is still there changes nothing in it any more.

    Raises
    ------
    StorageFailed
        If the folder cannot be made, or if somebody else has taken the run folder over.
    """

    def __init__(self, path: Path, fsync: bool = True, fence: Fence | None = None) -> None:
        self.path = path
        self._fsync = fsync
        self._slots: SlotFile | None = None
        try:
            make_folder(path, fsync, fence)
        except OSError as error:
            if fence is not None:
                fence.check(f"make {path}")
            raise StorageFailed(f"cannot make {path}: {error.strerror}") from None
        self._own = fence is None
        self._fence = fence

    @property
    def fence(self) -> Fence:
        """What is written goes through it; the folder is taken over when that is first asked for."""
        if self._fence is None:
            self._fence = Fence.raise_in(self.path)
        return self._fence

    def close(self) -> None:
        """Write no more."""
        self.rest()
        if self._own and self._fence is not None:
            self._fence.lower()

    def next_incarnation(self, least: int = 1) -> int:
        """Count this start of the agent and return which one it is, from `least`."""
        return next_count(self.path / "incarnation", self._fsync, self.fence, least)

    def identity(self) -> tuple[int, str] | None:
        """Return the agent's id and the digest of its experiment, or None; see `load_identity`."""
        return load_identity(self.path)

    def rounding_of_another_host(self) -> str:
        """Return the fingerprint of the host on which the thetas were computed; empty if it is this host's.

        Folders of earlier versions do not say.
        """
        try:
            identity = _read_identity(self.path)
        except InputError:
            return ""  # `identity` says what is wrong with it
        began = None if identity is None or identity.archived else identity.numerics
        return "" if began in (None, fingerprint()) else began

    def adopt(self, agent: int, experiment: str) -> None:
        """Remember who this agent is, which experiment its thetas belong to, and how this host rounds."""
        self._write_identity(_Identity(agent, experiment, fingerprint()))

    def take_over(self) -> dict[int, Snapshot]:
        """Return what is stored, by round, of which from now on no earlier life can change anything."""
        identity = _read_identity(self.path)
        if identity is not None and identity.archived:
            self._forget()
        file = self.path / SLOTS_FILE
        with ExitStack() as stack:
            former: BinaryIO | None = None
            with suppress(OSError):  # there is none, or something else in its place
                former = stack.enter_context(opened(file))
            held = _read(self.path)
            if held:
                self._lay_out(sorted(held.items())[-SLOTS:])
            # What an earlier life was told is stored, it stored before its file had lost its name.
            late: dict[int, bytes] = {}
            if former is not None:
                with suppress(OSError):
                    late = slots_of(former.read())
            if late.items() - held.items():
                held = dict(sorted((held | late).items()))
                self._lay_out([*held.items()][-SLOTS:])
        return {round_: _snapshot(content, self.path, round_) for round_, content in held.items()}

    def write(self, round_: int, snapshot: Snapshot, keep: int | None = None) -> None:
        """Make theta_round durable, and keep those of the two rounds before that are here.

        Parameters
        ----------
        round_ : int
        snapshot : Snapshot
        keep : int, optional
            A round whose theta stays, whatever else goes.

        Raises
        ------
        StorageFailed
            If it cannot be written; those of the rounds before are untouched.
        """
        content = as_npy(snapshot)
        if self._slots is None or not self._slots.fits(content):
            self._lay_out([*kept_beside(_read(self.path), round_, keep), (round_, content)])
        else:
            self._slots.write(round_, content, keep)

    def tear(self, round_: int, snapshot: Snapshot) -> None:
        """Leave what a death in the midst of `write` leaves: half of a slot, or half a temporary file."""
        content = as_npy(snapshot)
        if self._slots is None:
            Path(self.fence.draft(SLOTS_FILE)).write_bytes(content[: len(content) // 2])
        else:
            self._slots.tear(round_, content)

    def rest(self) -> None:
        """Keep no file open until the next writing."""
        if self._slots is not None:
            self._slots.close()
            self._slots = None

    def _lay_out(self, rounds: list[Slot]) -> None:
        """Begin a file of slots of our own."""
        self.rest()
        self._slots = SlotFile(self.path / SLOTS_FILE, rounds, self._fsync, self.fence)
        for file in _former(self.path):
            with suppress(OSError):  # one more file than needed does no harm
                self.fence.remove(file)

    def archive(self) -> None:
        """Put the thetas of a run that is done aside: whoever starts from this folder next is a newcomer.

        Raises
        ------
        StorageFailed
            If that cannot be, or if somebody else has taken the folder over.
        """
        place = self.path / "archive"
        self.rest()
        try:
            file = self.path / IDENTITY_FILE
            identity = read_json(file, _Identity, StorageFailed) if file.exists() else None
            files = [*stored(self.path), *([] if identity is None else [file])]
            # Filled within the fence: whoever has lost the folder puts nothing aside.
            draft = Path(self.fence.draft(place.name))
            draft.mkdir()
            for one in files:
                replace_file(draft / one.name, read_bytes(one), self._fsync)
            make_folder(place, self._fsync)
            draft.rename(place / f"{_last_number(place) + 1:04d}")
            if self._fsync:
                sync_folder(place)
        except OSError as error:
            raise StorageFailed(f"cannot archive into {place}: {error.strerror}") from None
        if identity is not None:
            self._write_identity(structs.replace(identity, archived=True))
        self._forget()

    def _forget(self) -> None:
        """Remove what was put aside."""
        try:
            for file in (*stored(self.path), self.path / IDENTITY_FILE):
                if file.exists():  # what says that it was put aside is the last to go
                    self.fence.remove(file)
        except OSError as error:
            raise StorageFailed(f"cannot clear {self.path}: {error.strerror}") from None

    def _write_identity(self, identity: _Identity) -> None:
        write_atomically(self.path / IDENTITY_FILE, json.encode(identity), self._fsync, self.fence)


def _last_number(place: Path) -> int:
    """Return the largest number of what is in an archive, some of which may have been taken out of it."""
    names = [file.name for file in place.iterdir()]
    return max((int(name) for name in names if name.isascii() and name.isdecimal()), default=0)


def stored(folder: Path) -> list[Path]:
    """Return the files in an agent's folder that hold thetas, without a look at what they hold."""
    slots = folder / SLOTS_FILE
    return [*_former(folder), *([slots] if slots.exists() else [])]


def load_identity(folder: Path) -> tuple[int, str] | None:
    """Return whose folder it is and the digest of the experiment, or None if it is nobody's yet.

    Raises
    ------
    StorageFailed
        If there are thetas and nothing says whose they are.
    InputError
        If what says so cannot be read.
    """
    content = _read_identity(folder)
    if content is None and stored(folder):
        # It is written before the first theta, so no crash leaves this behind.
        raise StorageFailed(
            f"{folder} holds thetas, but no agent.json that says whose they are and of which "
            "experiment: put it back, or remove the thetas to begin anew"
        )
    return None if content is None or content.archived else (content.agent, content.experiment)


def _read_identity(folder: Path) -> _Identity | None:
    """Return what says whose folder it is, or None if nothing does.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        return read_json(folder / IDENTITY_FILE, _Identity, InputError)
    except FileNotFoundError:
        return None


def load_latest(folder: Path) -> dict[int, FloatArray]:
    """Return the thetas in an agent's folder by round, networks' as vectors; empty if there is none."""
    return {round_: snapshot.flat for round_, snapshot in load_snapshots(folder).items()}


def load_snapshots(folder: Path) -> dict[int, Snapshot]:
    """Return all that is stored in an agent's folder, by round: what it goes on with."""
    return {round_: _snapshot(content, folder, round_) for round_, content in _read(folder).items()}


def _snapshot(content: bytes, folder: Path, round_: int) -> Snapshot:
    """Return what was packed into a file of numpy; its digest fits, so whatever is wrong somebody wrote."""
    try:
        return from_npy(content)
    except InputError as error:
        raise InputError(f"{folder} holds no theta of round {round_}: {error}") from None


def _read(folder: Path) -> dict[int, bytes]:
    """Return the thetas in a folder as files of numpy; what does not match its digest is left out."""
    found: dict[int, bytes] = {}
    for file in _former(folder):
        _, round_, expected = file.stem.split("-")
        with suppress(OSError):
            content = read_bytes(file)
            if hashlib.sha256(content).hexdigest()[:16] == expected:
                found[int(round_)] = content
    with suppress(OSError):
        found |= read_slots(folder / SLOTS_FILE)
    return dict(sorted(found.items()))


def _former(folder: Path) -> list[Path]:
    """Return the files, one a round, in which an earlier version kept thetas."""
    if not folder.is_dir():
        return []
    return [file for file in sorted(folder.iterdir()) if _FORMER.fullmatch(file.name)]
