"""One BLAS thread in a program that is not ours: the number of threads may change the last bit of a sum.

Our own processes are told so before they load numpy (:mod:`bnpg_protocol.process.threads`). A program that
imports bnpg has loaded it, with as many threads as it has cores.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import threadpoolctl
from bnpg_protocol.process.threads import ONE_THREAD


class _Own(threading.local):
    """The limit of a thread, for libraries that have a number for every thread."""

    inside = 0
    limit: Any = None


class _Limit:
    """The limit of this process: whoever comes first sets it, and whoever goes last takes it back.

    Some libraries have one number of threads for the whole process, whoever sets it; those over OpenMP have
    one for each thread that calls them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._by_thread: Any = None
        self._shared: Any = None
        self._own = _Own()

    def enter(self) -> None:
        with self._lock:
            if not self._inside:
                self._set_shared()
            self._inside += 1
            by_thread = self._by_thread
        own = self._own
        if not own.inside:
            own.limit = by_thread.limit(limits=1)
        own.inside += 1

    def leave(self) -> None:
        own = self._own
        own.inside -= 1
        if not own.inside:
            own.limit.restore_original_limits()
        with self._lock:
            self._inside -= 1
            if not self._inside:
                _release()
                self._shared.restore_original_limits()
                _release()

    def _set_shared(self) -> None:
        loaded = threadpoolctl.ThreadpoolController()
        self._by_thread = loaded.select(**BY_THREAD)
        others = [one for one in loaded.lib_controllers if one not in self._by_thread.lib_controllers]
        _release()
        self._shared = loaded.select(filepath=[one.filepath for one in others]).limit(limits=1)


BY_THREAD = {"threading_layer": "openmp", "user_api": "openmp"}
"""What of threadpoolctl's libraries has a number of threads for each thread: one of these fits."""


def _release() -> None:
    """Let any thread set what all threads share.

    Since version 3.7, threadpoolctl lets only the thread that was first to set the number of OpenBLAS do so
    again while it lives, and ignores all others without a word.
    """
    release = getattr(threadpoolctl.OpenBLASController, "clear_controlling_thread", None)
    if release is not None:
        release(force=True)


_LIMIT = _Limit()


@contextmanager
def one_thread() -> Iterator[None]:
    """Sum in one thread while it lasts; as a decorator, in a function that makes numbers which are kept.

    Examples
    --------
    >>> with one_thread():
    ...     pass
    """
    if not ONE_THREAD.items() <= os.environ.items():
        import scipy.linalg  # noqa: F401 (a BLAS of its own: only what is loaded can be limited)
    _LIMIT.enter()
    try:
        yield
    finally:
        _LIMIT.leave()
