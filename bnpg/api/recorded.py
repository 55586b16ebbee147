"""A run folder as a Python program sees it."""

import operator
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.line import fields_of
from bnpg_coordinator.worlds.interface import WorldFailed
from numpy.typing import NDArray

from bnpg.api.episodes import Episode
from bnpg.api.plots import Plot
from bnpg.api.wording import in_python_words, python_words, setting_keys
from bnpg.evaluation.measure import Evaluation, measure
from bnpg.measures import named
from bnpg.report.recorded_run import RecordedRun, read_run
from bnpg_files.paths import as_path
from bnpg_files.quoting import quoted
from bnpg_math.dag import Dag
from bnpg_math.errors import InputError
from bnpg_math.games.game import Game
from bnpg_math.html_table import facts
from bnpg_math.policies.joint import Policy, policy_of

if TYPE_CHECKING:
    import pandas as pd


SHOWN = named("value", "optimality_gap", "nash_gap", return_mean="mean return of the last episodes")
"""What a notebook shows of the last measurements, in words."""


class Run:
    """One run: what was asked for, what was recorded, and the policy it came to.

    It shows the folder as it was when it was loaded; load it again to see how a run goes on.

    Parameters
    ----------
    recorded : RecordedRun
        From :func:`load_run`.
    """

    def __init__(self, recorded: RecordedRun) -> None:
        self._recorded = recorded

    def __repr__(self) -> str:
        value = self._recorded.latest("value")
        earns = "" if value is None else f", value {value:.4f}"
        rounds = f"{self.rounds} of {self.experiment.rounds} rounds"
        return f"<Run {self._recorded.identity['game']!r}, DAG {self.experiment.dag}, {rounds}{earns}>"

    def __eq__(self, other: object) -> bool:
        """Whether another run came to the same policy, to the bit, by the same experiment."""
        if not isinstance(other, Run):
            return NotImplemented
        return self.experiment == other.experiment and self.policy.digest == other.policy.digest

    def __hash__(self) -> int:
        return hash((self.experiment.game, self.experiment.dag, self.experiment.seed, self.rounds))

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        found = {
            "DAG": self.experiment.dag,
            "rounds": f"{self.rounds} of {self.experiment.rounds}",
            **{
                SHOWN[name]: self._recorded.latest(name)
                for name in SHOWN
                if self._recorded.latest(name) is not None
            },
        }
        notices = (self.summary or {}).get("notices") or ()
        notice = {"notice": python_words(" ".join(notices), setting_keys())} if notices else {}
        return facts(f"Run of {self._recorded.identity['game']}", found | notice)

    @property
    def folder(self) -> Path:
        """The run folder; of a run that nothing was kept of, a temporary one, which goes with this object."""
        return self._recorded.folder

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Keep the run: copy its folder, for `bnpg.load_run` and all commands.

        Parameters
        ----------
        path : path
            A new folder.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        InputError
            If it is there already, or cannot be made.

        Examples
        --------
        >>> import bnpg
        >>> run = bnpg.train("climbing", rounds=1)
        >>> bnpg.load_run(run.save("kept")) == run
        True
        """
        from bnpg.run_copy import copy_run_folder

        return copy_run_folder(self.folder, as_path(path, "the folder of a copy", InputError))

    @property
    def experiment(self) -> Experiment:
        """The resolved experiment: all that decides the result."""
        return self._recorded.experiment

    @property
    def game(self) -> Game:
        """What was played."""
        return self._recorded.game

    @property
    def dag(self) -> Dag:
        """Who sees whose action."""
        return self._recorded.dag

    @cached_property
    def lines(self) -> list[dict[str, Any]]:
        """The run record as it is in `metrics.jsonl`, a dictionary a round."""
        return [fields_of(line) for line in self._recorded.lines]

    @property
    def rounds(self) -> int:
        """Updates that are done."""
        return self._recorded.rounds

    @property
    def summary(self) -> dict[str, Any] | None:
        """How the run ended, the object that ``bnpg train --json`` prints; None while it goes on."""
        return self._recorded.summary

    @property
    def certificate(self) -> dict[str, Any] | None:
        """What is proven about the policy, if that was written."""
        return self._recorded.certificate

    @property
    def optimal_value(self) -> float | None:
        """V*, the value of the best joint policy; None if the run was never evaluated."""
        return self._recorded.optimum

    @cached_property
    def columns(self) -> dict[str, NDArray[Any]]:
        """The run record as one array a quantity.

        Returns
        -------
        dict of (K,) arrays
            `round` is int; all else is float, nan in rounds where it was not measured.
        """
        names = dict.fromkeys(name for line in self.lines for name in line if not name.endswith("_reason"))
        found: dict[str, NDArray[Any]] = {}
        for name in names:
            values = [line.get(name) for line in self.lines]
            if name == "round":
                found[name] = np.array(values, dtype=np.int64)
            elif all(value is None or isinstance(value, int | float) for value in values):
                found[name] = np.array([np.nan if value is None else value for value in values], dtype=float)
        return found

    def frame(self) -> "pd.DataFrame":
        """Return the run record as a pandas data frame, a row a round.

        Raises
        ------
        InputError
            If pandas is not installed; bnpg itself does not need it.
        """
        try:
            import pandas as pd
        except ImportError:
            raise InputError("Run.frame needs pandas: pip install pandas; Run.columns does not") from None
        return pd.DataFrame(self.columns).set_index("round")

    @in_python_words
    def plot(self) -> Plot:
        """Return the picture of the run: return and value by round, and the gaps.

        Examples
        --------
        >>> import bnpg
        >>> bnpg.train("climbing", rounds=2).plot().save("curves.svg")
        """
        from bnpg.curves import figure_of
        from bnpg.report.measurements import Measurements
        from bnpg.report.numbers import floor_of

        title = f"{self._recorded.identity['game']}: DAG {self.experiment.dag}, {self.experiment.mode} mode"
        floor = None if self._recorded.run.simulator is not None else floor_of(self._recorded.game)
        return Plot(figure_of(Measurements(self._recorded.lines), title, floor))

    @in_python_words
    def report(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write the report of the run, one page of HTML that needs no network, as ``bnpg report`` does.

        Parameters
        ----------
        path : path
            `report.html` in the run folder if left out; an older one is replaced.

        Returns
        -------
        Path
            The file.
        """
        from bnpg.named_place import write_named
        from bnpg.report.page import render_page
        from bnpg.report.run_page import run_report

        target = self.folder / "report.html" if path is None else as_path(path, "a report", InputError)
        write_named(target, render_page(run_report(self._recorded)).encode(), followed=path is not None)
        return target

    def episodes(self, count: int = 1, *, steps: int = 100, sampled: bool = False) -> list[Episode]:
        """Play episodes with the policy, as ``bnpg play`` does.

        Parameters
        ----------
        count : int
            How many. They are drawn for this alone, and are the same for every policy of the same seed.
        steps : int
            An episode is cut after so many.
        sampled : bool
            Whether actions are drawn from the policy; otherwise everybody takes its most probable one.

        Raises
        ------
        InputError
            If a number cannot be used, or the policy is not in the folder.
        RunFailed
            If the environment raises or hangs.

        Examples
        --------
        >>> import bnpg
        >>> run = bnpg.train("climbing", dag="0-1", mode="exact", rounds=300, learning_rate=0.5)
        >>> run.episodes()
        [<Episode of 1 turn: 11>]
        """
        from bnpg.api.training import RunFailed
        from bnpg.showing.of_run import Showing

        many, most = _whole("count", count, 0), _whole("steps", steps, 1)
        stage = Showing(self._recorded)
        try:
            return [Episode(tuple(stage.play(number, most, sampled))) for number in range(many)]
        except WorldFailed as error:
            raise RunFailed(str(error), error.code, None) from None

    @property
    def policies(self) -> tuple[NDArray[np.float64], ...]:
        """The conditional table pi^i of every agent, ``(S, *P, A_i)``."""
        return self.policy.tables

    @cached_property
    def policy(self) -> Policy:
        """The policy after the last round that all agents have stored.

        Raises
        ------
        InputError
            If there is none in this folder, as with agents on other hosts and no `save_policy`.
        """
        latest = self._recorded.theta_after
        if latest is None and self.experiment.kind.is_network and self._recorded.run.simulator is not None:
            raise InputError(f"the networks of {self.folder} see numbers: there are no tables that show them")
        if latest is None:
            raise self._recorded.without_thetas()
        return policy_of(self.experiment.kind, self.dag, latest[1])

    @property
    def thetas(self) -> tuple[NDArray[np.float64], ...]:
        """Logits of the policy, an array ``(S, *P, A_i)`` an agent; of a direct one its probabilities."""
        return self.policy.parameters

    def evaluate(self, *, mismatch: bool = False) -> Evaluation:
        """Measure the policy exactly, with the run's own regularization; see :func:`bnpg.evaluate`."""
        return measure(self.game, self.policy, self.experiment.weights(self.dag, self.game.actions), mismatch)


def _whole(name: str, given: Any, least: int) -> int:
    """Return an integer that is not below the least one."""
    try:
        number = operator.index(given)
    except TypeError:
        number = least - 1
    if number < least:
        raise InputError(f"{name} must be an integer of at least {least}, got {quoted(given)}")
    return number


def load_run(folder: str | os.PathLike[str]) -> Run:
    """Read the folder of a run that is over, interrupted or under way.

    Parameters
    ----------
    folder : path
        Such as ``runs/climbing-20240131-120000``.

    Returns
    -------
    Run

    Raises
    ------
    InputError
        If it is not the folder of a run; the text says what is missing.

    Examples
    --------
    >>> import bnpg
    >>> _ = bnpg.train("climbing", dag="0-1", mode="exact", rounds=4, evaluate_every=2, out="first")
    >>> run = bnpg.load_run("first")
    >>> run
    <Run 'climbing', DAG 0-1, 4 of 4 rounds, value 5.6153>
    >>> run.columns["round"], run.columns["optimality_gap"].round(2)
    (array([0, 1, 2, 3, 4]), array([14.44,   nan,  9.65,   nan,  5.38]))
    >>> [theta.shape for theta in run.thetas]
    [(1, 3), (1, 3, 3)]
    """
    return Run(read_run(as_path(folder, "the folder of a run", InputError)))
