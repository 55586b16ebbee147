"""Training from Python: the same runs, folders and bits as `bnpg train`."""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from bnpg_coordinator.experiment import read_experiment, read_fields
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.api.games import named
from bnpg.api.recorded import Run, load_run
from bnpg.execution import execute, find_launcher
from bnpg.experiment_plan import edges_text, plan_experiment
from bnpg.launchers.settings import LaunchSettings, settings_from
from bnpg.live.watching import watching
from bnpg.run_folder import (
    FAULTS_FILE,
    check_run_folder,
    create_run_folder,
    finished,
    read_faults,
    read_settings,
)
from bnpg_math.dag import Dag
from bnpg_math.errors import DagError
from bnpg_math.games.game import Game
from bnpg_math.policies.file import Policy, save_policy

Pathlike = str | os.PathLike[str]


class RunFailed(RuntimeError):
    """A run that could not be brought to its end. What was done so far is kept and can be resumed.

    Parameters
    ----------
    why : str
    code : ExitCode
        With which the command line would have ended.
    folder : Path
        The run folder.
    """

    def __init__(self, why: str, code: ExitCode, folder: Path) -> None:
        super().__init__(f"{why}; the run so far is in {folder}")
        self.code = code
        self.folder = folder


def train(
    game: Pathlike | Game,
    *,
    mode: Literal["sampled", "exact"] | None = None,
    dag: str | Dag | Iterable[tuple[int, int]] | None = None,
    rounds: int | None = None,
    learning_rate: float | Literal["certified"] | None = None,
    step_size: Literal["fixed", "backtracking", "barzilai-borwein"] | None = None,
    direction: Literal["gradient", "natural"] | None = None,
    momentum: Literal["none", "nesterov"] | None = None,
    regularization: float | None = None,
    lanes: int | None = None,
    parts: int | None = None,
    horizon: int | Literal["geometric", "geometric-visit"] | None = None,
    baseline: Literal["cross-fit", "none"] | None = None,
    initial: Pathlike | Policy | None = None,
    seed: int | None = None,
    evaluate_every: int | None = None,
    stop_at_epsilon: float | None = None,
    stop_gap: Literal["nash", "optimality"] | None = None,
    trace: bool | None = None,
    save_policy: bool | None = None,
    launcher: Literal["memory", "local"] = "memory",
    transport: Literal["ipc", "tcp", "unix"] | None = None,
    patience: float | None = None,
    on_loss: Literal["wait", "fail"] | None = None,
    fsync: bool | None = None,
    log: Iterable[Literal["csv", "tensorboard"]] | None = None,
    log_level: Literal["debug", "info", "warning", "error"] | None = None,
    faults: Pathlike | None = None,
    out: Pathlike | None = None,
    progress: bool = False,
    on_line: Callable[[dict[str, Any]], None] | None = None,
) -> Run:
    """Train a team on a game, as ``bnpg train`` does.

    Whatever is left out has the default of the command line, but for the launcher: here all agents live in
    this process unless told otherwise. The launcher never changes a bit of the result.

    Parameters
    ----------
    game : str, path or Game
        A built-in such as ``coordination(agents=5)``, a game file, an experiment file (``.toml``, whose
        fields the arguments override), or a game made by :func:`bnpg.dense_game`.
    mode : {'sampled', 'exact'}
        Learn from played episodes (the default), or from the known model.
    dag : str, Dag or edges
        Who sees whose action: ``empty``, ``line``, ``star``, ``complete``, edges as ``"0-1,0-2"`` or
        ``[(0, 1), (0, 2)]``, or a file.
    rounds : int
        Number of updates.
    learning_rate : float or 'certified'
        Step size; ``certified`` is 1/beta, for which exact updates never do harm.
    step_size : {'fixed', 'backtracking', 'barzilai-borwein'}
        Of exact updates: the learning rate each, or chosen by the coordinator, which tries that first.
    direction : {'gradient', 'natural'}
        Of exact updates: the gradient, or the natural one.
    momentum : {'none', 'nesterov'}
        Of exact updates, begun anew whenever it does not pay.
    regularization : float
        Weight of the log barrier.
    lanes : int
        Episodes of a sampled round.
    parts : int
        In which they are stepped, so that agents and environment overlap; changes only the speed.
    horizon : int, 'geometric' or 'geometric-visit'
        Steps of an episode: an integer truncates, the geometric ones are unbiased.
    baseline : {'cross-fit', 'none'}
        Reduces the variance of sampled rounds, without bias.
    initial : 'zeros', 'normal', path or Policy
        Starting theta; ``normal`` is N(0, 1), keyed by the seed.
    seed : int
        Of everything random.
    evaluate_every : int
        Exact metrics every so many rounds and at the end; 0 is never.
    stop_at_epsilon : float
        Train until a gap of this size is certified, with lambda = epsilon / M; `rounds` is the most then.
    stop_gap : {'nash', 'optimality'}
        Which gap that means; optimality needs the complete DAG.
    trace : bool
        Record every message.
    save_policy : bool
        Gather ``policy.npz`` at the end.
    launcher : {'memory', 'local'}
        All in this process, or a process for the coordinator and for every agent.
    transport : {'ipc', 'tcp', 'unix'}
        Between local processes.
    patience : float
        Seconds without any progress after which the run is given up.
    on_loss : {'wait', 'fail'}
        When a process dies: start it again, or fail.
    fsync : bool
        Whether the run survives a crash of the machine, not only of a process.
    log : iterable of {'csv', 'tensorboard'}
        Formats in which the record is also kept.
    log_level : {'debug', 'info', 'warning', 'error'}
        The least that is logged on stderr.
    faults : path
        A fault plan to inject; it changes no bit of the result.
    out : path
        Run folder, never overwritten; ``runs/GAME-TIMESTAMP`` if left out.
    progress : bool
        Whether to show progress on stderr.
    on_line : callable
        Called with every line of the run record as it is written.

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
    >>> alone = bnpg.train("climbing", dag="empty", out="alone", **options)
    >>> together = bnpg.train("climbing", dag=[(0, 1)], out="together", **options)
    >>> round(alone.summary["value"], 1), round(together.summary["value"], 1)
    (6.0, 11.0)
    >>> bnpg.train("climbing", rounds=-1)
    Traceback (most recent call last):
    ...
    bnpg_math.errors.InputError: experiment: Expected `int` >= 0 - at `$.rounds`
    """
    with _as_text(game, initial) as (subject, initial_text):
        given = {
            "mode": mode, "dag": _dag_text(dag), "rounds": rounds, "learning-rate": learning_rate,
            "step-size": step_size, "direction": direction, "momentum": momentum,
            "regularization": regularization, "lanes": lanes, "parts": parts,
            "horizon": horizon, "baseline": baseline, "initial": initial_text,
            "seed": seed, "evaluate-every": evaluate_every,
            "stop-at-epsilon": stop_at_epsilon, "stop-gap": stop_gap, "trace": trace,
            "save-policy": save_policy,
        }  # fmt: skip
        fields, base = {"game": subject}, Path()
        if subject.endswith(".toml"):
            fields, base = read_fields(Path(subject)), Path(subject).parent
        plan = plan_experiment(fields | _present(given), base)
        settings = settings_from(
            _present(
                {
                    "launcher": launcher, "transport": transport, "patience": patience, "on-loss": on_loss,
                    "fsync": fsync, "log": None if log is None else list(log), "log-level": log_level,
                    "faults": None if faults is None else FAULTS_FILE,
                }
            )
        )  # fmt: skip
        plan_of_faults = None if faults is None else read_faults(Path(faults))
        folder = create_run_folder(plan, settings, None if out is None else Path(out), plan_of_faults)
    return _run(folder, settings, progress, on_line)


def resume(
    folder: Pathlike, *, progress: bool = False, on_line: Callable[[dict[str, Any]], None] | None = None
) -> Run:
    """Continue an interrupted run to its end, launched as it was before; a finished one is only loaded.

    Parameters
    ----------
    folder : path
        The run folder.
    progress, on_line
        As in :func:`train`.

    Returns
    -------
    Run
        The one that the uninterrupted run would have been, to the bit.

    Raises
    ------
    InputError, RunFailed, KeyboardInterrupt
        As in :func:`train`.
    """
    path = Path(folder)
    check_run_folder(path)
    if finished(path):
        return load_run(path)
    return _run(path, read_settings(path), progress, on_line)


def _run(
    folder: Path,
    settings: LaunchSettings,
    progress: bool,
    on_line: Callable[[dict[str, Any]], None] | None,
) -> Run:
    rounds = read_experiment(folder / "experiment.toml").rounds
    with watching(folder, quiet=not progress) as watcher:

        def look(line: dict[str, Any]) -> None:
            watcher(line)
            if on_line is not None:
                on_line(line)

        ended = execute(folder, settings, find_launcher(settings.launcher), look)
    code = ended.outcome.code
    if code == ExitCode.INTERRUPTED:
        where = f"in round {ended.summary['rounds']} of {rounds}"
        raise KeyboardInterrupt(f"interrupted {where}; continue with bnpg.resume({str(folder)!r})")
    if code != ExitCode.DONE:
        raise RunFailed(ended.summary["why"], code, folder)
    return load_run(folder)


@contextmanager
def _as_text(game: Pathlike | Game, initial: Pathlike | Policy | None) -> Iterator[tuple[str, str | None]]:
    """Give game and initial policy as an experiment names them; objects become files for that time."""
    with named(game) as subject:
        if not isinstance(initial, Policy):
            yield subject, None if initial is None else os.fspath(initial)
            return
        with tempfile.TemporaryDirectory(prefix="bnpg-initial-") as folder:
            path = Path(folder) / "initial.npz"
            save_policy(initial, path)
            yield subject, str(path)


def _dag_text(dag: str | Dag | Iterable[tuple[int, int]] | None) -> str | None:
    """Return a DAG as an experiment names it."""
    if dag is None or isinstance(dag, str):
        return dag
    if isinstance(dag, Dag):
        return edges_text(dag) or "empty"
    try:
        return ",".join(f"{int(parent)}-{int(child)}" for parent, child in dag) or "empty"
    except (TypeError, ValueError):
        raise DagError(f"dag must be a name, a Dag or pairs (parent, child), got {dag!r}") from None


def _present(given: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if value is not None}
