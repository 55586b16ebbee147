"""Whether this host rounds as the one on which a run began: else going on would give the bits of neither."""

import numpy as np

from bnpg.notices import warn
from bnpg.one_thread import one_thread
from bnpg.run_folder import RunFolder
from bnpg_math.arrays.solver_numerics import full_fingerprint
from bnpg_math.errors import InputError


@one_thread()
def rounding_here() -> str:
    """Return the fingerprint of this host's floating point, in one thread as all that is kept.

    Returns
    -------
    str
        As that of `bnpg_math.arrays.solver_numerics.full_fingerprint`.
    """
    return full_fingerprint()


def check_rounding(run: RunFolder) -> None:
    """Refuse to go on with a run on a host whose floating point differs in a bit. Nothing is touched.

    Parameters
    ----------
    run : RunFolder

    Raises
    ------
    InputError
        If run.json says that the run began on another kind of host.

    Warns
    -----
    InputWarning
        If it does not say, as in folders of earlier versions.
    """
    folder, identity = run.path, run.identity
    began, here = identity.get("numerics"), rounding_here()
    if began is None:
        warn(
            f"{folder} does not say how the host rounded on which this run began; if it was another kind of "
            "host, the result is that of neither"
        )
    elif began != here:
        version = identity.get("numpy")
        numpy = f" (numpy {version} there, {np.__version__} here)" if version != np.__version__ else ""
        raise InputError(
            f"{folder} was begun on a host whose floating point rounds differently{numpy}: expected {here} "
            f"as here, got {began}; going on here would give the bits of neither host, so resume it on "
            "a host like the first, with the version of bnpg that began it, or begin anew"
        )
