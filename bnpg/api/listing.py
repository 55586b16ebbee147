"""Lists: the games there are, and the runs below a folder."""

import os

from bnpg.api.recorded import Run, load_run
from bnpg.catalogue.catalogue import Catalogue
from bnpg.catalogue.entry import UNREADABLE
from bnpg_files.paths import as_path
from bnpg_math.errors import InputError
from bnpg_math.games.registry import Listing, list_games


def games() -> list[Listing]:
    """Return the built-in games with their parameters and sizes, as ``bnpg games`` lists them.

    Examples
    --------
    >>> import bnpg
    >>> [one.name for one in bnpg.games()][:3]
    ['climbing', 'climbing3', 'congestion']
    """
    return list_games()


def runs(folder: str | os.PathLike[str] = "runs") -> list[Run]:
    """Return the runs below a folder, newest first, those of sweeps too; what is no readable run is left out.

    Parameters
    ----------
    folder : path

    Returns
    -------
    list of Run

    Raises
    ------
    InputError
        If there is no such folder.

    Examples
    --------
    >>> import bnpg
    >>> _ = [bnpg.train("climbing", rounds=1, seed=seed, out=f"all/{seed}") for seed in range(2)]
    >>> sorted(run.experiment.seed for run in bnpg.runs("all"))
    [0, 1]
    """
    found = Catalogue(as_path(folder, "the folder of runs", InputError)).entries()
    return [load_run(entry.folder) for entry in found if entry.state != UNREADABLE]
