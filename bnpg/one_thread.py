"""One BLAS thread in a program that is not ours: the number of threads may change the last bit of a sum.

Our own processes are told so before they load numpy (:mod:`bnpg_protocol.process.threads`). A program that
imports bnpg has loaded it, with as many threads as it has cores.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bnpg_protocol.process.threads import ONE_THREAD
from threadpoolctl import threadpool_limits


class _Limit:
    """The limit of this process: whoever comes first sets it, and whoever goes last takes it back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before: threadpool_limits | None = None

    def enter(self) -> None:
        with self._lock:
            if self._before is None:
                self._before = threadpool_limits(limits=1)
            self._inside += 1

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside and self._before is not None:
                self._before.restore_original_limits()
                self._before = None


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
