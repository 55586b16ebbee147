"""How a process keeps its memory: what a round needs, the next one needs again."""

import ctypes

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_FROM_THE_HEAP = 1 << 25
"""Bytes an array may have to come from the heap: glibc takes no more than this."""
_KEPT = 1 << 28
"""Bytes of free heap that are kept."""


def keep_freed_memory() -> None:
    """Let the C library keep what was freed, instead of handing it back to the kernel.

    Otherwise every large array of every round is new memory, which the kernel has to clear page by page: on
    a virtual machine that costs several times the arithmetic on it. Where the C library is not glibc, nothing
    is changed.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _FROM_THE_HEAP)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
