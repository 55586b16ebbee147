"""What came out of a run, in plain words and in a few numbers."""

from dataclasses import dataclass

from bnpg.report.recorded_run import RecordedRun
from bnpg.report.scale import shown


@dataclass(frozen=True)
class Tile:
    """One number, large.

    Parameters
    ----------
    name, value, meaning : str
    share : float or None
        What a bar below it shows, in [0, 1].
    """

    name: str
    value: str
    meaning: str
    share: float | None = None


def tiles(run: RecordedRun) -> list[Tile]:
    """Return the numbers that matter, those that are known."""
    experiment, found = run.experiment, []
    done = run.rounds / experiment.rounds if experiment.rounds else 1.0
    seconds = float(run.elapsed[1][-1]) if len(run.elapsed[1]) else 0.0
    found.append(
        Tile("rounds", f"{run.rounds} / {experiment.rounds}", f"updates, in {duration(seconds)}", done)
    )
    value, best = run.latest("value"), run.optimum
    if value is not None and best is not None:
        share = value[1] / best if best > 0 and value[1] >= 0 else None
        meaning = f"expected return; the best joint policy earns {shown(best)}"
        found.append(Tile("exact value", shown(value[1]), meaning, share))
    played = run.latest("return_mean")
    if played is not None:
        error = run.latest("return_stderr")
        spread = "" if error is None else f" ± {shown(error[1])}"
        found.append(Tile("return", f"{shown(played[1])}{spread}", "of the last episodes, ± standard error"))
    for key, name, meaning in (
        ("optimality_gap", "optimality gap", "to the best joint policy"),
        ("nash_gap", "Nash gap", "the most one agent could gain on its own"),
    ):
        latest = run.latest(key)
        if latest is not None:
            found.append(Tile(name, shown(latest[1]), meaning))
    return found


def in_words(run: RecordedRun) -> list[str]:
    """Return what came out, in sentences."""
    experiment = run.experiment
    agents = run.dag.agents
    team = f"A team of {agents} agents" if agents > 1 else "One agent"
    learnt = "played episodes" if experiment.mode == "sampled" else "the known model"
    told = [
        f"{team} learnt {run.identity['game']} from {learnt} in {run.rounds} of {experiment.rounds} rounds."
    ]
    told += _state(run)
    value, best, gap = run.latest("value"), run.optimum, run.latest("nash_gap")
    if value is not None and best is not None:
        sentence = f"Its policy earns {shown(value[1])} in expectation"
        if best > 0 and value[1] >= 0:
            sentence += f", {_percent(value[1] / best)} of the {shown(best)} that the best joint policy earns"
        else:
            sentence += f", where the best joint policy earns {shown(best)}"
        first = run.column("value")[1][0]
        told.append(f"{sentence}; it began with {shown(float(first))}.")
    if gap is not None:
        none = gap[1] <= 1e-9
        told.append(
            "No agent can gain anything by changing its own policy alone: the team is in a Nash equilibrium."
            if none
            else f"No agent could gain more than {shown(gap[1])} by changing its own policy alone."
        )
        if none and best is not None and value is not None and best - value[1] > 1e-6:
            told.append("It is a bad equilibrium: a better one exists, but no agent can reach it alone.")
    told += [run.why["evaluation"]] if "evaluation" in run.why else []
    return told


def duration(seconds: float) -> str:
    """Return a time as a person says it."""
    if seconds < 1:
        return f"{shown(1000 * seconds)} ms"
    if seconds < 60:
        return f"{shown(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def _percent(share: float) -> str:
    if 0.9995 <= share < 1:
        return f"{100 * share:.4f} %"
    return f"{100 * share:.3g} %"


def _state(run: RecordedRun) -> list[str]:
    summary = run.summary
    if summary is None:
        return ["The run is under way, or was cut off: it has no summary yet."]
    if summary["state"] == "done":
        return []
    return [f"The run was {summary['state']}: {summary['why']}."]
