"""Several runs side by side: who differs from whom, by how much, and how sure that is.

Runs of one configuration (all but the seed alike) form a group. Groups are compared with the first one of the
same game, seed by seed: a difference is taken between runs of the same seed, so what the seed decides falls
out of it. Across games only scores are compared (`by_score.py`): the returns of one game say nothing of
another's.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np

from bnpg.evaluation.over_seeds import CONFIDENCE, FEW, SAME, SETTLING, interquartile_mean, interval
from bnpg.measures import named
from bnpg.report.numbers import shown
from bnpg.report.recorded_run import RecordedRun

MEASURES = named(
    "value", "optimality_gap", "nash_gap", value="exact value", return_mean="return of the last round"
)
LOOKS = 8
"""Groups that can be told apart in a chart."""
SETTLED = frozenset({"learning-rate", "optimizer", "step-size", "baseline"})
"""Settings for which `learning-rate auto` stands."""
_NOT_COMPARED = {"seed", "evaluate-every", "save-policy", "trace"}


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seed alone.

    Parameters
    ----------
    label : str
        What sets it apart from the other groups.
    style : str
        Its class in the style sheet.
    runs : tuple of RecordedRun
    game : str
        What they play.
    configuration : str
        What sets it apart from the others of its game.
    """

    label: str
    style: str
    runs: tuple[RecordedRun, ...]
    game: str
    configuration: str


@dataclass(frozen=True)
class Difference:
    """A group against the reference, in one measure.

    Parameters
    ----------
    game, group, reference, measure : str
    pairs : int
        Seeds that both have.
    middle : float
        Interquartile mean of the differences, group minus reference.
    low, high : float or None
        Its interval at 95 %.
    how : str
        Where the interval comes from, or why there is none.
    """

    game: str
    group: str
    reference: str
    measure: str
    pairs: int
    middle: float
    low: float | None
    high: float | None
    how: str

    @property
    def sure(self) -> bool:
        """Whether the interval leaves out 0, and does not rest on a handful of seeds."""
        return self.can_settle and ((self.low or 0.0) > 0 or (self.high or 0.0) < 0)

    @property
    def can_settle(self) -> bool:
        """Whether there is an interval, and not of so few seeds that all may have one sign by chance."""
        return self.low is not None and self.pairs >= SETTLING


def _key(run: RecordedRun, fields: dict[str, Any]) -> str:
    """Return what tells a configuration from others."""
    game = {"digest": run.identity.get("game_digest")}
    return msgspec.json.encode(fields | game, order="sorted").decode()


def _fields(run: RecordedRun, left_out: set[str]) -> dict[str, Any]:
    return {key: value for key, value in msgspec.to_builtins(run.experiment).items() if key not in left_out}


def group_runs(runs: Sequence[RecordedRun]) -> list[Group]:
    """Put runs of one configuration together, in the order they were named."""
    keys: dict[str, list[RecordedRun]] = {}
    fields: dict[str, dict[str, Any]] = {}
    for run in runs:
        described = _fields(run, _NOT_COMPARED)
        if run.experiment.game.endswith(".npz"):
            described["game"] = run.identity["game"]
        key = _key(run, described)
        keys.setdefault(key, []).append(run)
        fields[key] = described
    differing = [
        name
        for name in next(iter(fields.values()))
        if len({repr(values[name]) for values in fields.values()}) > 1
    ]
    games = list(dict.fromkeys(_game(members[0]) for members in keys.values()))
    played = [(_game(members[0]), fields[key]) for key, members in keys.items()]
    within = _telling([name for name in differing if name != "game"], played)
    groups = []
    for number, (key, members) in enumerate(keys.items()):
        words = _words(fields[key], [name for name in differing if name == "game" or name in within])
        configuration = _words(fields[key], within)
        only = members[0].name if len(members) == 1 and len(games) == 1 else "all runs"
        game = _game(members[0])
        groups.append(
            Group(words or only, f"group-{number % LOOKS}", tuple(members), game, configuration or only)
        )
    return groups


def _words(fields: dict[str, Any], names: Sequence[str]) -> str:
    shown = {name: fields[name] for name in names}
    return ", ".join(f"{k} {v:.6g}" if isinstance(v, float) else f"{k} {v}" for k, v in shown.items())


def _telling(names: Sequence[str], played: Sequence[tuple[str, dict[str, Any]]]) -> list[str]:
    """Return the fields that tell configurations apart, without those that only go with the game.

    What `auto` stands for has another number in every game, and is the same configuration. Another field that
    is the same throughout each game is left out if configurations are told apart without it.
    """
    alike = [
        name
        for name in names
        if len({(game, repr(fields[name])) for game, fields in played}) == len({game for game, _ in played})
    ]
    kept = [name for name in names if name not in alike or name not in SETTLED]

    def told_apart(by: Sequence[str]) -> int:
        return len({tuple(repr(fields[name]) for name in by) for _, fields in played})

    for name in reversed([name for name in kept if name in alike]):
        without = [other for other in kept if other != name]
        if told_apart(without) == told_apart(kept):
            kept = without
    return kept


def by_game(groups: Sequence[Group]) -> list[tuple[str, list[Group]]]:
    """Return the groups of each game, in the order in which the games come; looks begin anew for each."""
    games: dict[str, list[Group]] = {}
    for group in groups:
        games.setdefault(group.game, []).append(group)
    return [
        (game, [replace(member, style=f"group-{k % LOOKS}") for k, member in enumerate(members)])
        for game, members in games.items()
    ]


def differences(groups: Sequence[Group]) -> list[Difference]:
    """Compare every group with the first of its game, in every measure that both have."""
    results = []
    for _, members in by_game(groups):
        for group in members[1:]:
            for measure, words in MEASURES.items():
                pairs = common_seeds(members[0], group, measure)
                if pairs:
                    results.append(_difference(group, members[0], measure, words, pairs))
    return results


def _game(run: RecordedRun) -> str:
    return str(run.identity["game"])


def same_results(runs: Sequence[RecordedRun]) -> list[tuple[list[str], bool]]:
    """Return the names of runs of one and the same experiment, and whether they came to the same bits."""
    keys: dict[str, list[RecordedRun]] = {}
    for run in runs:
        keys.setdefault(_key(run, _fields(run, _NOT_COMPARED - {"seed"})), []).append(run)
    results = []
    for members in keys.values():
        digests = [(run.summary or {}).get("policy_digest") for run in members]
        if len(members) > 1 and all(digests):
            results.append(([run.name for run in members], len(set(digests)) == 1))
    return results


def common_seeds(reference: Group, group: Group, key: str) -> list[tuple[RecordedRun, RecordedRun, float]]:
    """Return for every common seed the two runs and the difference of their latest values."""
    by_seed = {run.experiment.seed: run for run in reference.runs}
    results = []
    for run in group.runs:
        other = by_seed.get(run.experiment.seed)
        if other is None:
            continue
        mine, theirs = run.latest(key), other.latest(key)
        if mine is not None and theirs is not None:
            results.append((run, other, mine - theirs))
    return results


def _difference(
    group: Group,
    reference: Group,
    measure: str,
    words: str,
    pairs: list[tuple[RecordedRun, RecordedRun, float]],
) -> Difference:
    values = np.array([value for _, _, value in pairs])
    middle = float(interquartile_mean(values))
    low: float | None = None
    high: float | None = None
    how = "one common seed: no interval"
    errors = [run.last.return_stderr for run in pairs[0][:2]]
    if len(values) > 1:
        # Beside what is subtracted: differences of what is alike are rounding.
        of = max(abs(run.latest(measure) or 0.0) for pair in pairs for run in pair[:2])
        same = float(np.abs(values).max()) <= SAME * of
        low, high = (None, None) if same else interval([values]) or (None, None)
        how = f"bootstrap over {len(values)} seeds" + ", widened by Student's t" * (len(values) < FEW)
        how = f"{len(values)} seeds, all alike to 12 digits: no interval" if low is None else how
    elif measure == "return_mean" and 0.0 in errors:
        how = "one common seed, and lanes that are all alike: no interval"
    elif measure == "return_mean" and all(isinstance(error, float) for error in errors):
        spread = 1.959964 * math.hypot(*errors)  # type: ignore[arg-type]
        low, high = middle - spread, middle + spread
        how = "standard errors of the two rounds, taken as independent"
    return Difference(
        group.game, group.configuration, reference.configuration, words, len(values), middle, low, high, how
    )


def spoken(result: Difference) -> str:
    """Say a difference in one sentence."""
    more = "more" if result.middle >= 0 else "less"
    width = 0.0 if result.low is None or result.high is None else result.high - result.low
    size = shown(abs(result.middle), width)
    what = f"{result.game}, {result.group}: {result.measure} {size} {more} than {result.reference}"
    if result.low is None or result.high is None:
        return f"{what} ({result.how})."
    sure = "" if result.sure else "; the interval holds 0, so the sign is not settled"
    if not result.can_settle:
        sure = f"; fewer than {SETTLING} seeds settle no sign"
    return f"{what} (95 %: {shown(result.low, width)} to {shown(result.high, width)}, {result.how}{sure})."


def by_chance(results: Sequence[Difference]) -> str:
    """Say what many comparisons at once mean for each of them; empty for one."""
    known = sum(result.can_settle for result in results)
    if known < 2:
        return ""
    expected = shown((1 - CONFIDENCE) * known)
    return (
        f"{known} of these intervals can settle a sign, at about 95 % each: if no group differed from its "
        f"reference at all, about {expected} of them would leave out 0 by chance."
    )
