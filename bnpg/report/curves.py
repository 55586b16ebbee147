"""The learning curves of one run: what the team earns, how far it is from the best, what is guaranteed."""

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from bnpg_protocol.process.settings import written

from bnpg.certified.words import rounded_up
from bnpg.evaluation.effort import is_coverage_affordable
from bnpg.evaluation.room import range_at_most
from bnpg.measures import GAPS
from bnpg.one_thread import one_thread
from bnpg.report.chart import Chart, Level, Mark, Series
from bnpg.report.measurements import Measurements
from bnpg.report.numbers import floor_of
from bnpg.report.recorded_run import RecordedRun
from bnpg_math.arrays import FloatArray
from bnpg_math.dag import Dag
from bnpg_math.exact.gauge import Gauge
from bnpg_math.exact.mismatch import mismatch
from bnpg_math.exact.rounding import softmax_rounding, sum_upwards
from bnpg_math.games.game import Game
from bnpg_math.learning.objective import barrier
from bnpg_math.learning.regularization import per_agent
from bnpg_math.policies.softmax import log_policy, policy
from bnpg_math.theory.ascent import ascent_rounding
from bnpg_math.theory.constants import nash_bound, nash_threshold, optimality_bound, sizes, smoothness
from bnpg_math.theory.rates import euclidean_threshold
from bnpg_math.theory.stationarity import gradient_rounding_at_any_policy, meets
from bnpg_math.theory.weighted_bound import spare

MODEST = 4096
"""States times joint actions up to which M is computed for a picture."""
LOWEST = -1.0
"""Explained variance that is drawn: a critic that knows nothing yet may be at minus thousands."""


def find_mismatch(run: RecordedRun) -> float | None:
    """Return M: as certified, or computed if that is quick; None if it is not known."""
    certified = (run.certificate or {}).get("mismatch")
    if isinstance(certified, int | float):
        return float(certified)
    if run.game.states * run.game.joint_actions <= MODEST:
        return _mismatch(run.game)
    return None


@lru_cache(maxsize=4)
def _mismatch(game: Game) -> float:
    """Return M; while a run is watched, of the same game again and again."""
    with one_thread():
        return mismatch(game).M


def learning_charts(run: RecordedRun, M: float | None, events: Iterable[Mark] = ()) -> list[Chart]:
    """Return the charts of a run; a chart without any data is left out.

    Parameters
    ----------
    run : RecordedRun
    M : float or None
        The mismatch coefficient, if known.
    events
        Drawn at their rounds.
    """
    happened = tuple(events)
    charts = [value_chart(run, happened)]
    if "evaluation" not in run.why:
        charts += [
            gap_chart(run, *gap_bounds(run, M), happened, floor_of(run.game)),
            gradient_chart(run, happened),
        ]
    charts += [update_chart(run, happened), critic_chart(run, happened)]
    return [chart for chart in charts if chart.series]


def value_chart(run: Measurements, events: tuple[Mark, ...] = ()) -> Chart:
    """What the team earns: returns with their standard error, exact values, the optimum."""
    series = []
    rounds, mean, error = run.column("return_mean", "return_stderr")
    if len(rounds):
        label = "return of the episodes ± standard error"
        series.append(Series(label, "return", rounds, mean, mean - error, mean + error, error=error))
    else:  # a single lane has no standard error
        rounds, mean = run.column("return_mean")
        series += [Series("return of the episode", "return", rounds, mean)] * bool(len(rounds))
    rounds, value = run.column("value")
    if len(rounds):
        series.append(Series("exact value of the policy", "value", rounds, value, dots=len(rounds) < 60))
    best = run.optimum
    levels = [] if best is None else [Level("best joint policy, V*", "best", best)]
    caption = "Return of the whole team, discounted in games."
    if levels:
        caption += " The dashed line is the best any joint policy can earn."
    return Chart(
        "value", "What the team earns", caption, "round", "return", series, levels, events,
    )  # fmt: skip


def update_chart(run: Measurements, events: tuple[Mark, ...] = ()) -> Chart:
    """How large the updates of networks are; empty where there are none."""
    names = {"kl": ("KL divergence, in nats", "value"), "clip_share": ("share of steps clipped", "nash")}
    return Chart(
        "updates", "How large its updates are",
        "How far each update moved the policies, as a mean over agents: KL from the policy before, and the "
        "share of steps whose ratio of probabilities lay outside of the clip.",
        "round", "KL, share", _curves(run, names), (), events,
    )  # fmt: skip


def critic_chart(run: Measurements, events: tuple[Mark, ...] = ()) -> Chart:
    """What the policies still try, and what the critic foresees; empty where there is no critic."""
    names = {
        "entropy": ("entropy of the policies, in nats", "value"),
        "explained_variance": ("share of the returns' variance that the critic explains", "nash"),
    }
    return Chart(
        "critic", "What is still tried, and what is foreseen",
        "Near 0, the policies try nothing else any more. The critic explains 1 at best; below 0 it is worse "
        f"than a constant, and drawn at {LOWEST:g} at the least.",
        "round", "entropy, share", _curves(run, names, LOWEST), (), events,
    )  # fmt: skip


def _curves(run: Measurements, names: dict[str, tuple[str, str]], least: float = -math.inf) -> list[Series]:
    series = []
    for key, (label, style) in names.items():
        rounds, values = run.column(key)
        if len(rounds):
            series.append(Series(label, style, rounds, np.maximum(values, least), dots=len(rounds) < 60))
    return series


def gap_chart(
    run: Measurements,
    levels: Sequence[Level] = (),
    remark: str = "",
    events: tuple[Mark, ...] = (),
    floor: float | None = None,
) -> Chart:
    """How far the team is from the optimum and from equilibrium, with the bounds that are known."""
    series = []
    for (key, name), style in zip(GAPS.items(), ("value", "nash"), strict=True):
        rounds, gap = run.column(key)
        if len(rounds):
            series.append(Series(name, style, rounds, gap, dots=len(rounds) < 60))
    return Chart(
        "gaps", "How far it is from the best",
        "The optimality gap is what the best joint policy would earn more; the Nash gap is the most that one "
        f"agent could gain on its own. {remark}".strip(),
        "round", "gap (logarithmic)", series, levels, events, log=True, floor=floor,
    )  # fmt: skip


def gap_bounds(run: RecordedRun, M: float | None) -> tuple[list[Level], str]:
    """Return the bounds of Lemmas 2 and 3 for this run, and a sentence about them."""
    weight = run.experiment.regularization
    if run.experiment.barrier != "uniform":
        return [], "Lemmas 2 and 3 speak of the uniform barrier, not of a weighted one, so no bound is drawn."
    if weight == 0:
        return [], "Without regularization (λ = 0) the lemmas promise nothing, so no bound is drawn."
    if M is None:
        return [], ""
    if math.isinf(M):
        return [], "M is infinite (Assumption 1 fails), so no bound can be drawn."
    levels = [
        Level("Lemma 2, tight: λM", "bound", nash_bound(weight, M)),
        Level("Lemma 2, corrected: 2λM", "looser", nash_bound(weight, M, "corrected")),
    ]
    if run.dag.is_complete:
        loosest = optimality_bound(sizes(run.game, run.dag), weight, M, "corrected")
        levels.append(Level("Lemma 3, corrected: 2^(N+1) N λM", "loosest", loosest))
    return levels, _since(run, M)


def gradient_chart(run: RecordedRun, events: tuple[Mark, ...] = ()) -> Chart:
    """The norm of the gradient, with the thresholds below which a lemma promises something."""
    rounds, norm = run.column("gradient_norm")
    series = []
    if len(rounds):
        series.append(Series("norm of the exact gradient", "gradient", rounds, norm, dots=len(rounds) < 60))
    size = sizes(run.game, run.dag)
    beta = smoothness(size, run.experiment.weights(run.dag, run.game.actions))
    bound = _descent(run, rounds, beta)
    if bound is not None:
        series.append(
            Series("promise for the smallest norm so far, √(2β(V* − L₀)/(t+1))", "bound", rounds, bound)
        )
    return Chart(
        "gradient", "How far it is from stationary",
        "Where the Euclidean norm of the gradient falls below a threshold by more than rounding, the lemma's "
        "bound on a gap is in force.",
        "round", "gradient norm (logarithmic)", series, thresholds(run), events, log=True,
        floor=floor_of(run.game),
    )  # fmt: skip


def thresholds(run: RecordedRun) -> list[Level]:
    """Return how small the Euclidean norm of the gradient must be for each lemma.

    Where a lemma speaks of entries, none is larger than the norm; where it speaks of sums along a joint
    action, they may be.
    """
    weight, size = run.experiment.regularization, sizes(run.game, run.dag)
    if run.experiment.barrier == "weighted":
        weights = run.experiment.weights(run.dag, run.game.actions)
        tau, _ = spare(run.dag, run.game.actions, per_agent(weights, run.dag.agents))
        found = [Level("threshold of Theorem D1, τ/S", "bound", tau / run.game.states)]
    else:
        found = [
            Level("threshold of Lemma 2, tight", "bound", nash_threshold(size, weight)),
            Level("threshold of Lemma 2, corrected", "looser", nash_threshold(size, weight, "corrected")),
        ]
        if run.dag.is_complete:
            norm = euclidean_threshold(size, weight, "theorem_2", "tight")
            found.append(Level("threshold of Lemma 3, tight", "best", norm))
    return [level for level in found if 0.0 < level.y < math.inf]


def _descent(run: RecordedRun, rounds: FloatArray, beta: float) -> FloatArray | None:
    """Return sqrt(2 beta (V* - L_0) / (t + 1)), and what rounding adds to it.

    An exact update with eta = 1/beta, or with a chosen step size, raises L by at least
    ||grad||^2 / (2 beta), less what rounding may take, and L never exceeds V*.
    """
    if not run.experiment.ascends or run.experiment.kind.is_network or not len(rounds):
        return None
    largest = float(np.abs(run.column("objective")[1]).max(initial=0.0))
    lost = ascent_rounding(run.game, run.dag, largest)
    rises = _room(run) / (rounds + 1.0) + lost.rise
    # Each beside its own power of two, an even one for both: the product of tiny ones is not 0.
    (slope, one), two = math.frexp(beta), math.frexp(float(rises.max()))[1]
    odd = (one + two) % 2
    bound: FloatArray = np.ldexp(np.sqrt(2 * slope * np.ldexp(rises, odd - two)), (one + two - odd) // 2)
    return bound + lost.gradient


def _room(run: RecordedRun) -> float:
    """Return V* - L_0 at the most: what theta_0 lacks, and its barrier. L* <= V*, as no barrier exceeds 0."""
    thetas, weights = run.theta_before, run.experiment.weights(run.dag, run.game.actions)
    below = max(-barrier([log_policy(theta) for theta in thetas], weights), 0.0) * (1.0 + 1e-9)
    keys = tuple((theta.shape, theta.tobytes()) for theta in thetas)
    return sum_upwards(_lacks(run.game, run.dag, keys), below)


@lru_cache(maxsize=4)
def _lacks(game: Game, dag: Dag, keys: tuple[tuple[tuple[int, ...], bytes], ...]) -> float:
    """Return V* - V at the most; while a run is watched, of the same theta_0 again and again."""
    most = range_at_most(game)
    if not is_coverage_affordable(game):
        return most
    tables = [policy(np.frombuffer(raw).reshape(shape)) for shape, raw in keys]
    with one_thread():
        gaps = Gauge(game).gaps(dag, tables, each_agent=False, off=softmax_rounding(tables))
    return min(gaps.optimality_gap_upper, most)


def _since(run: RecordedRun, M: float) -> str:
    """Say from which round on the bound of Lemma 2 is in force, by more than rounding.

    What the record has, the Euclidean norm, is no less than the norm of the tight lemma.
    """
    weight = run.experiment.regularization
    rounds, norm = run.column("gradient_norm")
    threshold = nash_threshold(sizes(run.game, run.dag), weight)
    rounding = gradient_rounding_at_any_policy(run.game)
    below = [int(at) for at, size in zip(rounds, norm, strict=True) if meets(size, threshold, rounding)]
    promise = (
        f"λM = {rounded_up(nash_bound(weight, M))}, with λ = {written(weight)} and M at most {rounded_up(M)}"
    )
    if below:
        return (
            f"Lemma 2 promises a Nash gap of at most {promise}, wherever the gradient is small enough: "
            f"so in round {below[0]}."
        )
    return (
        f"The bound {promise}, is not known to be in force: no recorded gradient is below its threshold by "
        "more than rounding."
    )
