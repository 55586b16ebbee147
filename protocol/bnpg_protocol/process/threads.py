"""One BLAS thread a process: the number of threads may change the last bit of a sum.

Libraries look when they are loaded, so this comes before anything that imports numpy.
"""

import os

ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""What the environment of a process says then."""


def use_one_thread() -> None:
    """Let this process, and those that it starts, sum in one thread.

    What is so already is left where it is: a process whose first variable has moved cannot take a title.
    """
    os.environ.update(ONE_THREAD.items() - os.environ.items())
