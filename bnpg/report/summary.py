"""What came out of a run, in plain words and in a few numbers."""

from dataclasses import dataclass

from bnpg_coordinator.automatic import returns_range
from bnpg_coordinator.line import Line, number

from bnpg.certified.words import rounded_up
from bnpg.durations import duration
from bnpg.report.numbers import shown
from bnpg.report.recorded_run import RecordedRun

NOTHING = 1e-9
"""Of the range of returns: a gap that is no more than rounding."""
WORTH_A_WORD = 1e-6
"""Of the range of returns: what an equilibrium lacks that is said to be bad."""


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
    experiment = run.experiment
    done = run.rounds / experiment.rounds if experiment.rounds else 1.0
    seconds = float(run.elapsed[1][-1]) if len(run.elapsed[1]) else 0.0
    first = Tile("rounds", f"{run.rounds} / {experiment.rounds}", f"updates, in {duration(seconds)}", done)
    return [first, *number_tiles(run.last, run.optimum)]


def number_tiles(latest: Line, best: float | None) -> list[Tile]:
    """Return what is known of value, return and gaps.

    Parameters
    ----------
    latest : Line
        The latest value of every recorded number.
    best : float or None
        V*.
    """
    shown_tiles = []
    value, mean, error = number(latest.value), number(latest.return_mean), number(latest.return_stderr)
    if value is not None and best is not None:
        share = value / best if best > 0 and value >= 0 else None
        meaning = f"expected return; the best joint policy earns {shown(best)}"
        shown_tiles.append(Tile("exact value", shown(value), meaning, share))
    if mean is not None:
        told = shown(mean) if error is None else f"{shown(mean, error)} ± {shown(error)}"
        shown_tiles.append(Tile("return", told, "of the last episodes, ± standard error"))
    for gap, name, meaning in (
        (latest.optimality_gap, "optimality gap", "to the best joint policy"),
        (latest.nash_gap, "Nash gap", "the most one agent could gain on its own"),
    ):
        known = number(gap)
        if known is not None:
            shown_tiles.append(Tile(name, shown(known), meaning))
    return shown_tiles


def in_words(run: RecordedRun) -> list[str]:
    """Return what came out, in sentences."""
    experiment = run.experiment
    agents = run.dag.agents
    team = f"A team of {agents} agents" if agents > 1 else "One agent"
    learnt = "played episodes" if experiment.mode == "sampled" else "the known model"
    sentences = [
        f"{team} learnt {run.identity['game']} from {learnt} in {run.rounds} of {experiment.rounds} rounds."
    ]
    sentences += _state(run)
    value, best, gap = number(run.last.value), run.optimum, number(run.last.nash_gap)
    if value is not None and best is not None:
        sentence = f"Its policy earns {shown(value)} in expectation"
        if best > 0 and value >= 0:
            sentence += f", {_percent(value / best)} of the {shown(best)} that the best joint policy earns"
        else:
            sentence += f", where the best joint policy earns {shown(best)}"
        first = run.column("value")[1][0]
        sentences.append(f"{sentence}; it began with {shown(float(first))}.")
    if gap is not None:
        # What is nothing beside the returns of one game is much beside those of another.
        unit, upper = returns_range(run.game), _nash_gap_at_most(run)
        none = (gap if upper is None else upper) <= NOTHING * unit
        sentences.append(_alone(gap, upper, none))
        if none and best is not None and value is not None and best - value > WORTH_A_WORD * unit:
            sentences.append("It is a bad equilibrium: a better one exists, but no agent can reach it alone.")
    sentences += [run.why["evaluation"]] if "evaluation" in run.why else []
    return sentences


def _alone(gap: float, upper: float | None, none: bool) -> str:
    """Say what an agent could gain on its own: what is proved, or about what was measured."""
    if upper == 0.0:
        return (
            "No agent can gain anything by changing its own policy alone: the team is in a Nash equilibrium."
        )
    most = f"about {shown(gap)}" if upper is None else rounded_up(upper)
    sentence = f"No agent could gain more than {most} by changing its own policy alone"
    return f"{sentence}: the team is as good as in a Nash equilibrium." if none else f"{sentence}."


def _nash_gap_at_most(run: RecordedRun) -> float | None:
    """Return what is proved of the Nash gap that was measured last; None if nothing is."""
    certificate = run.certificate or {}
    rounds, _ = run.column("nash_gap")
    if certificate.get("rounds") != rounds[-1]:
        return None  # it is of another policy
    proved = [
        float(claim["epsilon"])
        for claim in certificate.get("proved", ())
        if claim.get("claim") == "epsilon-nash" and isinstance(claim.get("epsilon"), int | float)
    ]
    return min(proved, default=None)


def _percent(share: float) -> str:
    if 0.9995 <= share < 1:
        return f"{min(100 * share, 99.9999):.4f} %"  # what is not all is not told as all
    return f"{100 * share:.3g} %"


def _state(run: RecordedRun) -> list[str]:
    summary = run.summary
    if summary is None:
        return ["The run is under way, or was cut off: it has no summary yet."]
    if summary["state"] == "done":
        return []
    return [f"The run was {summary['state']}: {summary['why']}."]
