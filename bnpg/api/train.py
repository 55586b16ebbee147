"""`bnpg.train`. What it takes is declared elsewhere; `train.pyi` is written from it, for type checkers."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from bnpg.api.preparation import TRAINING, prepared
from bnpg.api.recorded import Run
from bnpg.api.signature import takes
from bnpg.api.training import check_on_line, run_prepared
from bnpg.api.wording import in_python_words
from bnpg_math.dag import Dag
from bnpg_math.games.game import Game
from bnpg_math.policies.joint import Policy


@takes(TRAINING)
@in_python_words
def train(
    game: str | os.PathLike[str] | Game | None = None,
    *,
    env: Any = None,
    dag: str | os.PathLike[str] | Dag | Iterable[Any] | None = None,
    initial: str | os.PathLike[str] | Policy | None = None,
    faults: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    exist_ok: bool = False,
    progress: bool = False,
    on_line: Callable[[dict[str, Any]], bool | None] | None = None,
    **settings: Any,
) -> Run:
    """Train a team on a game, as ``bnpg train`` does.

    What is left out has the default that is shown, or what an experiment file says. The launcher never
    changes a bit of the result, and here all agents live in this process unless another one is chosen.

    Parameters
    ----------
    game : str, path or Game
        A built-in such as ``coordination(agents=5)``, a game file, an experiment file (``.toml``, whose
        settings the arguments override), a game made by :func:`bnpg.dense_game`, or a simulator's name.
    env : str, callable or World
        A simulator instead of a game: its name, such as ``relay``, ``pettingzoo:mpe2.simple_spread_v3`` or
        ``module:function``; a function that returns a PettingZoo or Gymnasium environment; or a
        `bnpg_coordinator.worlds.interface.World`. What has no name that others find runs in this process.
    {settings}
    faults : path
        A fault plan to inject; it changes no bit of the result.
    out : path
        Run folder, never overwritten. If left out, nothing is kept on disk: the run lives as long as the
        :class:`Run` that is returned, :meth:`Run.save` keeps it, and no ``curves.png`` is drawn. (One that is
        interrupted or fails stays in the temporary folder that the error names; one by an engine, whose
        processes are on other hosts, is in ``runs/GAME-TIMESTAMP``.)
    exist_ok : bool
        Whether `out` may hold this very run already, of the same experiment: it is loaded if it is done,
        and goes on if it is not. A folder that holds anything else is refused.
    progress : bool
        Whether to show progress on stderr.
    on_line : callable
        Called with every line of the run record as it is written. If it returns True, the run ends in order
        there; its summary says that it was interrupted, and :func:`bnpg.resume` can continue it.

    Returns
    -------
    Run

    Raises
    ------
    InputError
        If something cannot be used; nothing is left behind.
    RunFailed
        If a process, the disk or a deadline failed the run.
    KeyboardInterrupt
        If it was interrupted; :func:`bnpg.resume` continues it.

    Examples
    --------
    The climbing game pays 11, but next to -30. Without an edge two learners settle for less; when agent 1
    sees what agent 0 does, they get there:

    >>> import bnpg
    >>> options = {"mode": "exact", "rounds": 300, "learning_rate": 0.5}
    >>> alone = bnpg.train("climbing", dag="empty", **options)
    >>> together = bnpg.train("climbing", dag=[(0, 1)], **options)
    >>> round(alone.summary["value"], 1), round(together.summary["value"], 1)
    (6.0, 11.0)
    >>> bnpg.train("climbing", rounds=-1)
    Traceback (most recent call last):
    ...
    bnpg.InputError: rounds: expected an integer of at least 0, got -1
    """
    check_on_line(on_line)
    asked = {"dag": dag, "initial": initial, **settings}
    return run_prepared(prepared(game, asked, faults, out, env, exist_ok), progress, on_line)
