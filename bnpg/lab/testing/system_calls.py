"""Killing a process at one of its system calls, or in the midst of a write: a small tracer for Linux.

    traced(work, folder, last=17)             # dies as it is about to make its 17th change in the folder
    traced(work, folder, last=17, torn=True)  # dies when half of what that call writes is written

`work` runs in a fork of this process, under ``ptrace``. Calls that change something in a folder are counted:
what opens for writing, writes, truncates, syncs, renames, removes, makes or links there. Nothing is asked of
the machine but a kernel that lets a parent trace its child.
"""

import ctypes
import os
import platform
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

_TRACEME, _GETREGSET, _SETREGSET, _SYSCALL, _SETOPTIONS = 0, 0x4204, 0x4205, 24, 0x4200
_SYSGOOD, _EXITKILL = 1, 1 << 20
_PRSTATUS = 1
_AT_FDCWD = 0xFFFFFF9C
_CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class _Machine(NamedTuple):
    """Where a kind of processor keeps what a system call is about."""

    registers: int
    number: int
    arguments: tuple[int, ...]
    calls: dict[int, str]


_X86 = {
    1: "write fd", 2: "open path", 18: "pwrite fd", 20: "writev fd", 40: "sendfile fd", 74: "fsync fd",
    75: "fdatasync fd", 76: "truncate path", 77: "ftruncate fd", 82: "rename path", 83: "mkdir path",
    84: "rmdir path", 86: "link path", 87: "unlink path", 90: "chmod path", 91: "fchmod fd",
    257: "open at", 258: "mkdir at", 263: "unlink at", 264: "rename at", 265: "link at", 268: "chmod at",
    285: "fallocate fd", 316: "rename at", 326: "copy out",
}  # fmt: skip
_ARM = {
    35: "unlink at", 34: "mkdir at", 37: "link at", 38: "rename at", 45: "truncate path", 46: "ftruncate fd",
    47: "fallocate fd", 52: "fchmod fd", 53: "chmod at", 56: "open at", 64: "write fd", 66: "writev fd",
    68: "pwrite fd", 71: "sendfile fd", 82: "fsync fd", 83: "fdatasync fd", 276: "rename at", 285: "copy out",
}  # fmt: skip
_MACHINES = {
    "x86_64": _Machine(27, 15, (14, 13, 12, 7), _X86),
    "aarch64": _Machine(34, 8, (0, 1, 2, 3), _ARM),
}
CUT_SHORT = {"write": 2, "pwrite": 2, "sendfile": 3, "ftruncate": 1}
"""Calls that can be cut short, and which argument says how much they do."""


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class Traced(NamedTuple):
    """What a traced process came to."""

    code: int
    """Its exit code; that of a signal as negative."""
    calls: tuple[str, ...]
    """The calls that were counted, in order, each by its name."""


def traced(work: Callable[[], int], folder: Path, last: int = 0, torn: bool = False) -> Traced:
    """Do something in a process of its own, and kill it at a system call.

    Parameters
    ----------
    work
        Returns an exit code.
    folder : Path
        Where changes count.
    last : int
        The number, from 1, of the call at which the process dies; 0 for never.
    torn : bool
        Whether half of the call is done; where it cannot be cut short, all of it.

    Raises
    ------
    OSError
        If processes cannot be traced here.
    """
    machine = _MACHINES.get(platform.machine())
    if machine is None or sys.platform != "linux":
        raise OSError(
            f"no tracer for {sys.platform} on {platform.machine()}: expected Linux on {[*_MACHINES]}"
        )
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            _ptrace(_TRACEME, 0, 0, 0)
            os.kill(os.getpid(), signal.SIGSTOP)
            code = work()
        finally:
            os._exit(code)
    return _Tracer(machine, child, str(folder.resolve())).watch(last, torn)


class _Tracer:
    def __init__(self, machine: _Machine, child: int, folder: str) -> None:
        self._machine = machine
        self._child = child
        self._folder = folder
        self._registers = (ctypes.c_uint64 * machine.registers)()
        self._vector = _Vector(ctypes.addressof(self._registers), ctypes.sizeof(self._registers))

    def watch(self, last: int, torn: bool) -> Traced:
        """Let the process run until it has ended."""
        calls: list[str] = []
        passed, entering, dying = 0, True, False
        _, status = os.waitpid(self._child, 0)
        _ptrace(_SETOPTIONS, self._child, 0, _SYSGOOD | _EXITKILL)
        while True:
            _ptrace(_SYSCALL, self._child, 0, passed)
            _, status = os.waitpid(self._child, 0)
            if not os.WIFSTOPPED(status):
                return Traced(os.waitstatus_to_exitcode(status), tuple(calls))
            stop, passed = os.WSTOPSIG(status), 0
            if stop != signal.SIGTRAP | 0x80:
                passed = stop if stop != signal.SIGTRAP else 0
                continue
            if entering:
                name = self._change()
                if name:
                    calls.append(name)
                    if len(calls) == last:
                        if not torn:
                            return self._kill(calls)
                        self._halve(name)
                        dying = True
            elif dying:
                return self._kill(calls)
            entering = not entering

    def _kill(self, calls: list[str]) -> Traced:
        os.kill(self._child, signal.SIGKILL)
        while True:
            _, status = os.waitpid(self._child, 0)
            if not os.WIFSTOPPED(status):
                return Traced(os.waitstatus_to_exitcode(status), tuple(calls))

    def _change(self) -> str:
        """Return the name of the call that the process is about to make, if it changes something there."""
        _ptrace(_GETREGSET, self._child, _PRSTATUS, ctypes.addressof(self._vector))
        name, _, kind = self._machine.calls.get(self._registers[self._machine.number], "").partition(" ")
        if not name:
            return ""
        first, second, third, _ = (self._registers[place] for place in self._machine.arguments)
        if name == "open" and not (third if kind == "at" else second) & _CHANGING:
            return ""
        if kind == "fd":
            path = self._open_file(first)
        elif kind == "out":
            path = self._open_file(third)
        elif kind == "at":
            path = self._text(second)
            if not path.startswith("/") and first & 0xFFFFFFFF != _AT_FDCWD:
                path = f"{self._open_file(first)}/{path}"
        else:
            path = self._text(first)
        path = os.path.normpath(os.path.join(self._folder_of_work(), path))
        return name if path == self._folder or path.startswith(f"{self._folder}/") else ""

    def _halve(self, name: str) -> None:
        """Let a call do half of what it was asked to do."""
        if name in CUT_SHORT:
            place = self._machine.arguments[CUT_SHORT[name]]
            self._registers[place] //= 2
            _ptrace(_SETREGSET, self._child, _PRSTATUS, ctypes.addressof(self._vector))

    def _open_file(self, descriptor: int) -> str:
        try:
            return os.readlink(f"/proc/{self._child}/fd/{descriptor & 0xFFFFFFFF}").removesuffix(" (deleted)")
        except OSError:
            return ""

    def _folder_of_work(self) -> str:
        return os.readlink(f"/proc/{self._child}/cwd")

    def _text(self, address: int) -> str:
        with open(f"/proc/{self._child}/mem", "rb", buffering=0) as memory:
            memory.seek(address)
            # A page at a time at the most: what is behind the text may not be there.
            read = memory.read(4096 - address % 4096)
            while b"\0" not in read and len(read) < 8192:
                read += memory.read(4096)
        return read.split(b"\0", maxsplit=1)[0].decode(errors="surrogateescape")


def _ptrace(request: int, process: int, address: int, data: int) -> None:
    if _LIBRARY.ptrace(request, process, address, data) == -1:
        raise OSError(ctypes.get_errno(), f"ptrace: {os.strerror(ctypes.get_errno())}")


_LIBRARY = ctypes.CDLL(None, use_errno=True)
_LIBRARY.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_LIBRARY.ptrace.restype = ctypes.c_long
