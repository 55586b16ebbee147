"""One BLAS thread in a program that is not ours: the number of threads may change the last bit of a sum.

Our own processes are told so before they load numpy (:mod:`bnpg_protocol.process.threads`). A program that
imports bnpg has loaded it, with as many threads as it has cores.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from bnpg_protocol.process.threads import ONE_THREAD
from threadpoolctl import threadpool_limits


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
    with threadpool_limits(limits=1):
        yield
