"""Where a watched run is looked at: its folder, or the coordinator's metrics address on another host.

A source returns the sections of the page as they are now. It may raise nothing: a coordinator that is gone,
or a folder that is being replaced, is a state like any other, and the page says so.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, Self

from bnpg_coordinator import run_files
from bnpg_coordinator.line import Line

from bnpg.durations import duration
from bnpg.live.observation import Observation, ObservedRun
from bnpg.report.curves import critic_chart, gap_chart, update_chart, value_chart
from bnpg.report.dag_drawing import Worth, draw_dag
from bnpg.report.measurements import Measurements
from bnpg.report.numbers import shown
from bnpg.report.page import Section, render_section
from bnpg.report.recorded_run import read_run
from bnpg.report.run_page import (
    certificate_section,
    curves_section,
    edge_worths,
    experiment_section,
    subtitle,
    summary_section,
    team_section,
    time_section,
)
from bnpg.report.summary import Tile, number_tiles
from bnpg.run_folder import EDGE_VALUES
from bnpg.watch.answers import dag_of, fetch, numbers_of, status_of
from bnpg_math.dag import Dag, Edge
from bnpg_math.errors import InputError


@dataclass(frozen=True)
class WatchedPage:
    """A page as it is now.

    Parameters
    ----------
    title, subtitle : str
    well : bool
        Whether all is as it should be; else `state` says what is wrong.
    state : str
    sections : tuple of Section
    rows : dict from str to str, optional
        Of many runs: a row of the table as JSON for each name. Those that changed are sent, not all.
    """

    title: str
    subtitle: str
    well: bool
    state: str
    sections: tuple[Section, ...]
    rows: dict[str, str] | None = None

    @classmethod
    def troubled(cls, held: Self | None, state: str) -> Self:
        """Return the last page as it was seen, if one was, with what is wrong now."""
        return cls("A run", "", False, state, ()) if held is None else replace(held, well=False, state=state)


class Source(Protocol):
    """Something to watch."""

    scripts: tuple[str, ...]
    """What its page needs besides the scripts of every page."""

    def page(self) -> WatchedPage:
        """Return what there is to see now; takes as long as it takes."""


class FolderSource:
    """A run folder, on this host or on a file system shared with it.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    InputError
        If it is not the folder of a run.
    """

    scripts: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._run = read_run(folder)
        self._observer = ObservedRun(self._run.dag, self._run.experiment.rounds, lambda: self._run.run.status)
        self._slow: dict[str, tuple[float, Section]] = {}
        self._page: WatchedPage | None = None
        self._seen: tuple[object, ...] = ()

    def page(self) -> WatchedPage:
        """Return the page; what is dear and changes slowly is drawn less often."""
        try:
            self._page = self._drawn()
        except (InputError, OSError) as error:  # files go and come while a run begins, ends and goes on
            return WatchedPage.troubled(self._page, str(error))
        return self._page

    def _drawn(self) -> WatchedPage:
        stamp = tuple(
            _stamp(self._folder / name)
            for name in (run_files.RECORD, run_files.SUMMARY, run_files.POLICY, EDGE_VALUES)
        )
        if self._page is None or stamp != self._seen:
            self._run = read_run(self._folder, self._run.run.__dict__.get("game"))
            self._seen = stamp
            self._slow.pop("summary", None)
            if self._run.over:
                self._slow.pop("team", None)  # its edges may have been measured since
        run = self._run
        for line in run.lines[-1:]:
            self._observer.take(line)
        seen = self._observer.now()
        well, state = _state(seen, over=run.over)
        sections = (
            self._every(1.0, "summary", lambda: summary_section(run)),
            now_section(run.dag, seen, over=run.over, worths=edge_worths(run)),
            self._every(10.0, "certificate", lambda: certificate_section(run)),
            self._every(2.0, "curves", lambda: curves_section(run)),
            self._every(10.0, "team", lambda: team_section(run, graph=False)),
            self._every(5.0, "time", lambda: time_section(run)),
            self._every(3600.0, "experiment", lambda: experiment_section(run)),
        )
        return WatchedPage(f"Run {run.name}", subtitle(run), well, state, sections)

    def _every(self, seconds: float, name: str, draw: Callable[[], Section]) -> Section:
        """Draw a section anew, unless that was done a moment ago; a run that is over stays as it is."""
        now = time.monotonic()
        held = self._slow.get(name)
        over = self._run.over
        if held is None or (held[0] != float("inf") and (over or now - held[0] >= seconds)):
            held = (float("inf") if over else now, draw())
            self._slow[name] = held
        return held[1]


class AddressSource:
    """The coordinator's `--metrics-listen` address. Curves begin when the watching begins.

    Parameters
    ----------
    address : str
        `HOST:PORT`, with or without `http://`.
    """

    scripts: tuple[str, ...] = ()

    def __init__(self, address: str) -> None:
        bare = address.removeprefix("http://").rstrip("/")
        self._name = bare
        self._status: dict[str, Any] = {}
        self._dag = dag_of({})
        self._lines: dict[int, Line] = {}
        self._answered: float | None = None
        self._observer: ObservedRun | None = None

    def page(self) -> WatchedPage:
        """Ask once, and return the page."""
        trouble = self._ask()
        dag = self._dag
        if self._observer is None or self._observer.dag != dag:
            self._observer = ObservedRun(dag, int(self._status.get("rounds", 0)), lambda: self._status)
        if self._lines:
            self._observer.take(self._lines[max(self._lines)])
        seen = self._observer.now()
        well, state = (False, trouble) if trouble else _state(seen, over=seen.phase == "ended")
        record = Measurements([line for _, line in sorted(self._lines.items())])
        sections = (
            render_section("summary", "So far", "summary.html.j2", tiles=_tiles(seen), words=[]),
            now_section(dag, seen, over=seen.phase == "ended", known=bool(self._status.get("edges"))),
            render_section(
                "curves",
                "Learning since this page is watched",
                "charts.html.j2",
                charts=[
                    chart
                    for draw in (value_chart, gap_chart, update_chart, critic_chart)
                    if (chart := draw(record)).series
                ],
                words=[] if record.lines else ["No number was measured yet."],
            ),
        )
        return WatchedPage(f"Run at {self._name}", "watched from afar", well, state, sections)

    def _ask(self) -> str:
        """Take in status and metrics; return what went wrong."""
        try:
            told, metrics = fetch(self._name, "/status"), fetch(self._name, "/metrics")
        except OSError as error:
            since = (
                "" if self._answered is None else f" for {duration(round(time.monotonic() - self._answered))}"
            )
            return f"no answer from {self._name}{since} ({error}); asking again"
        self._answered = time.monotonic()
        try:
            status, numbers = status_of(told), numbers_of(metrics)
            dag = dag_of(status)
        except ValueError:
            return f"{self._name} answers, but is no coordinator of a run"
        if not status:
            return "the run is starting"
        round_ = int(status["round"])
        if round_ < int(self._status.get("round", 0)):
            # Rounds are played again after a return: their numbers come again too.
            self._lines = {r: line for r, line in self._lines.items() if r <= round_}
        self._status = status | {"written": time.time()}
        self._dag = dag
        if numbers:
            self._lines[round_] = Line(round_).holding(**numbers)
        return ""


def now_section(
    dag: Dag,
    seen: Observation,
    *,
    over: bool,
    known: bool = True,
    worths: Mapping[Edge, Worth] | None = None,
) -> Section:
    """Who is up, who is waited for, how the messages flow, and what edges are worth if that was measured."""
    return render_section(
        "now",
        "Right now",
        "now.html.j2",
        dag=draw_dag(dag, worths) if known else None,
        states={agent.agent: agent.state for agent in seen.agents},
        agents=seen.agents,
        parents=dag.parents if known else None,
        seen=seen,
        over=over,
        shown=shown,
    )


def _state(seen: Observation, *, over: bool) -> tuple[bool, str]:
    if over:
        return True, "the run is over"
    if seen.silent is not None:
        return False, f"no word from the coordinator for {duration(round(seen.silent))}; still looking"
    if not seen.phase:
        return True, "the run is starting, or all of it lives in one process"
    return True, f"live: round {seen.round} of {seen.rounds}"


def _tiles(seen: Observation) -> list[Tile]:
    share = seen.round / seen.rounds if seen.rounds else None
    rounds = Tile("rounds", f"{seen.round} / {seen.rounds}", "updates", share)
    return [rounds, *number_tiles(seen.latest, seen.latest.optimum)]


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)
