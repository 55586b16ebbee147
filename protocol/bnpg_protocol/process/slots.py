"""Slots: one file of three places of equal size, of which the one that is needed least is written next.

A name that is made, renamed and removed every round costs a file system far more than the bytes do. Here a
round is one `pwrite` into space that is there already. A slot says which round it holds, how long it is, and
the SHA-256 of all that; one that was torn does not match and counts as empty. The two other slots stay
untouched meanwhile, so a death in the midst of writing loses nothing that somebody may still ask for.

The file is kept open, and is therefore replaced by a copy of its own by whoever takes the folder over (see
`bnpg_protocol.process.fence`): an earlier life goes on with a file that has no name any more.
"""

import hashlib
import os
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from bnpg_files.reading import read_bytes
from bnpg_protocol.process.descriptors import patiently
from bnpg_protocol.process.fence import TAKEN_OVER, Fence
from bnpg_protocol.process.files import sync_folder
from bnpg_protocol.wire.errors import StorageFailed

SLOTS = 3
MAGIC = b"BNPGSLOT"
_HEAD = struct.Struct("<8sQQ32s")
"""Magic, round, length of the content in bytes, SHA-256 of round, length and content."""
_BLOCK = 4096
"""A slot is a multiple of this many bytes, so that no block of the file system holds two."""

Slot = tuple[int, bytes]
"""A round and what is stored of it."""


class SlotFile:
    """A file of slots that is open for writing.

    Parameters
    ----------
    path : Path
        Where it gets its name.
    kept : sequence of (round, content)
        What it begins with, one to three; a slot has room for the largest of them.
    fsync : bool
        Whether what is written must survive a crash of the machine too.
    fence : Fence
        Of the folder.

    Raises
    ------
    StorageFailed
        If it cannot be made; what was there before is untouched.
    """

    def __init__(self, path: Path, kept: Sequence[Slot], fsync: bool, fence: Fence) -> None:
        self.path = path
        self._fsync = fsync
        room = max(len(content) for _, content in kept)
        self._size = -(-(_HEAD.size + room) // _BLOCK) * _BLOCK
        self._held: list[tuple[int, bytes] | None] = [None] * SLOTS
        """Round and digest of each slot; none where nothing is, or something torn."""
        draft = fence.draft(path.name)
        try:
            self._file = patiently(lambda: open(draft, "w+b", buffering=0))  # noqa: SIM115
            try:
                whole = bytearray(SLOTS * self._size)
                for place, (round_, content) in enumerate(kept):
                    head = _head(round_, content)
                    whole[place * self._size : place * self._size + len(head) + len(content)] = head + content
                    self._held[place] = round_, head[-32:]
                self._put(whole, 0)
                if fsync:
                    os.fsync(self._file.fileno())
                os.replace(draft, path)
                if fsync:
                    sync_folder(path.parent)
            except BaseException:
                self._file.close()
                raise
        except OSError as error:
            with suppress(OSError):
                os.unlink(draft)
            raise self._failed(error) from None

    def fits(self, content: bytes) -> bool:
        """Whether a content has room in a slot of this file."""
        return _HEAD.size + len(content) <= self._size

    def write(self, round_: int, content: bytes, keep: int | None = None) -> None:
        """Store a round in place of the one that is needed least.

        That is the same round, or else an empty slot, or else one that is still to be played again, or else
        the oldest one. What is there already is not written again.

        Parameters
        ----------
        round_ : int
        content : bytes
        keep : int, optional
            A round that stays, whatever else goes.

        Raises
        ------
        StorageFailed
            If it cannot be written, or if somebody else has taken the folder over; the other two slots are
            untouched.
        """
        head = _head(round_, content)
        if (round_, head[-32:]) not in self._held:
            place = self._place(round_, keep)
            self._held[place] = None
            try:
                self._put(head + content, place * self._size)
                if self._fsync:
                    os.fdatasync(self._file.fileno())
            except OSError as error:
                raise self._failed(error) from None
            self._held[place] = round_, head[-32:]
        if os.fstat(self._file.fileno()).st_nlink == 0:
            raise StorageFailed(f"cannot write {self.path}: {TAKEN_OVER}")

    def tear(self, round_: int, content: bytes) -> None:
        """Leave what a death in the midst of `write` leaves: half of a slot."""
        whole = _head(round_, content) + content
        self._put(whole[: len(whole) // 2], self._place(round_) * self._size)

    def close(self) -> None:
        """Write no more."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _place(self, round_: int, keep: int | None = None) -> int:
        def need(place: int) -> tuple[int, int]:
            held = self._held[place]
            if held is None:
                return 1, place
            if held[0] == round_:
                return 0, place
            if held[0] == keep:
                return 4, place
            return (2, -held[0]) if held[0] > round_ else (3, held[0])

        return min(range(SLOTS), key=need)

    def _put(self, content: bytes | bytearray, at: int) -> None:
        view = memoryview(content)
        while view:
            done = os.pwrite(self._file.fileno(), view, at)
            view, at = view[done:], at + done

    def _failed(self, error: OSError) -> StorageFailed:
        return StorageFailed(f"cannot write {self.path}: {error.strerror or error}")


def kept_beside(held: Mapping[int, bytes], round_: int, keep: int | None = None) -> list[Slot]:
    """Return what a file of slots holds beside a round that is written into a new one.

    That are the two rounds before it; one of them gives way to `keep`, as of :meth:`SlotFile.write`.

    Examples
    --------
    >>> held = {0: b"", 7: b"", 8: b"", 9: b""}
    >>> [round_ for round_, _ in kept_beside(held, 9)], [round_ for round_, _ in kept_beside(held, 9, 0)]
    ([7, 8], [0, 8])
    """
    stays: set[int] = set() if keep is None or keep == round_ or keep not in held else {keep}
    before = sorted(other for other in held if other < round_ and other not in stays)
    return [(other, held[other]) for other in sorted({*before[len(stays) + 1 - SLOTS :], *stays})]


def read_slots(path: Path) -> dict[int, bytes]:
    """Return what a file of slots holds, by round; what was torn or damaged is left out.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    return slots_of(patiently(lambda: read_bytes(path)))


def slots_of(whole: bytes) -> dict[int, bytes]:
    """Return what such a file holds, by round, of which this is the content."""
    size = len(whole) // SLOTS
    slots = (_slot(whole[place * size : (place + 1) * size]) for place in range(SLOTS))
    return dict(sorted(slot for slot in slots if slot is not None))


def _slot(raw: bytes) -> Slot | None:
    if len(raw) < _HEAD.size:
        return None
    magic, round_, length, digest = _HEAD.unpack_from(raw)
    content = raw[_HEAD.size : _HEAD.size + length]
    if magic != MAGIC or len(content) != length or _digest(round_, content) != digest:
        return None
    return round_, content


def _head(round_: int, content: bytes) -> bytes:
    return _HEAD.pack(MAGIC, round_, len(content), _digest(round_, content))


def _digest(round_: int, content: bytes) -> bytes:
    hashed = hashlib.sha256(struct.pack("<QQ", round_, len(content)))
    hashed.update(content)
    return hashed.digest()
