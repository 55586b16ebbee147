"""How a run ended: for machines as one object, for people as a few lines."""

import json
import math
import shlex
from pathlib import Path
from typing import Any

from bnpg_agents.checkpoint import load_snapshots
from bnpg_coordinator import run_files
from bnpg_coordinator.automatic import returns_range
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.line import MEASURED, RETURNS, Line, number
from bnpg_coordinator.worlds.interface import WorldFailed
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.process.files import write_atomically
from bnpg_protocol.wire.exit_codes import ExitCode, run_state
from msgspec import UNSET

from bnpg.certificate import NO_MODEL, certificate_lines, certify, uncertified
from bnpg.durations import duration
from bnpg.evaluation.played import evaluate_by_playing, scores_of_networks, scores_of_tables
from bnpg.extras import lacks_extra
from bnpg.launchers.settings import Outcome
from bnpg.live.numbers import decimals, with_ends, with_error
from bnpg.one_thread import one_thread
from bnpg.rounding import rounding_here
from bnpg.run_folder import RunFolder
from bnpg.verdict import notices, settings_of_steps
from bnpg_math.arrays.not_finite import finite_fields
from bnpg_math.policies.joint import policy_digest

_ENDS = ("mean", "low", "high")
"""What of an interval of returns is kept."""
_NO_WORD = {ExitCode.STORAGE: "the coordinator could not write its record, or ran out of memory (code 7)"}
"""What is known of a coordinator that ended by itself and could not write why."""


@one_thread()
def finish_summary(run: RunFolder, outcome: Outcome, fence: Fence, quiet: bool = True) -> dict[str, Any]:
    """Complete the coordinator's summary of a run, on disk too, and return it.

    It is the last file of a run: that `processes` is in it says that all the others are there.

    Parameters
    ----------
    run : RunFolder
    outcome : Outcome
        What the launcher says.
    fence : Fence
        Through which it is written.
    quiet : bool
        Show no progress of a certificate.

    Returns
    -------
    dict
        Every key is there in every run; what is not known is None with a `KEY_reason` beside it.
    """
    experiment, lines = run.experiment, run.lines
    # A coordinator that was killed has left no word: the record tells how far it came.
    recorded: dict[str, Any] = {
        "state": run_state(outcome.code),
        "why": outcome.why or _NO_WORD.get(outcome.code, f"the run ended with code {int(outcome.code)}"),
        "rounds": 0,
        "seconds": 0.0,
    } | (run.summary or {})
    if lines:
        # One that ended before everybody was there knows nothing of the rounds of earlier lives.
        seconds = math.fsum(line.seconds or 0.0 for line in lines)
        recorded["rounds"] = max(recorded["rounds"], lines[-1].round)
        recorded["seconds"] = max(recorded["seconds"], round(seconds, 6))
    if run_state(outcome.code) == "failed" != recorded["state"]:
        recorded |= {"state": "failed", "why": outcome.why or recorded["why"]}
    summary = {key: recorded[key] for key in ("state", "why", "rounds", "seconds")}
    summary |= experiment.aim
    summary["processes"] = outcome.processes
    summary["core"] = recorded.get("core")
    if summary["core"] is None:
        summary["core_reason"] = "the coordinator left no word of its own"
    summary |= _measured(experiment, lines)
    if run.simulator is not None:
        summary |= _simulated(run, summary)
    summary |= _digest(run, summary["rounds"])
    done = summary["state"] == "done"
    summary |= certify(run, summary["rounds"], fence, quiet) if done else uncertified("the run is not done")
    unit = 0.0 if run.simulator is not None else returns_range(run.game)
    summary |= settings_of_steps(experiment)
    summary["notices"] = notices(experiment, lines, unit) if done and unit else []
    summary |= {
        "game": run.identity["game"],
        "mode": experiment.mode,
        "dag": experiment.dag,
        "seed": experiment.seed,
        "run": run.identity["run"],
        "numerics": run.identity.get("numerics") or rounding_here(),
        "run_dir": str(run.path.absolute()),
    }
    summary = finite_fields(summary)
    content = (json.dumps(summary, indent=2) + "\n").encode()
    write_atomically(run.path / run_files.SUMMARY, content, run.settings.fsync, fence)
    return summary


def _measured(experiment: Experiment, lines: list[Line]) -> dict[str, Any]:
    """Return the last evaluation and the last return, each with the round it is of."""
    evaluated = [line for line in lines if line.nash_gap is not UNSET]
    played = [line for line in lines if line.return_mean is not UNSET]
    never = "evaluate-every is 0" if not experiment.evaluate_every else "the run ended before an evaluation"
    unplayed = "nothing is played in exact mode" if experiment.mode == "exact" else "no round was played"
    measured = _last(evaluated, MEASURED, never)
    best = evaluated[-1].optimum if evaluated else None
    if best is not None:
        measured["optimal_value"] = best
    else:
        measured |= {"optimal_value": None, "optimal_value_reason": never}
    measured |= _last(evaluated, ("round",), never, "evaluated_")
    return measured | _last(played, RETURNS, unplayed)


def _simulated(run: RunFolder, summary: dict[str, Any]) -> dict[str, Any]:
    """Return the greedy policy's return over episodes of its own, and what it earns there by drawing.

    The last round's return goes by another name.
    """
    found: dict[str, Any] = {
        f"{key}_reason": NO_MODEL for key in (*MEASURED, "optimal_value", "evaluated_round")
    }
    for key in RETURNS:
        found[f"sampled_{key}"] = summary[key]
        if summary[key] is None:
            found[f"sampled_{key}_reason"] = summary[f"{key}_reason"]
    found["reason"] = NO_MODEL
    found |= {"return_stderr_reason": "return_low and return_high are the ends of an interval of 95 %"}
    thetas = run.thetas(summary["rounds"]) if summary["state"] == "done" else None
    if thetas is None:
        why = run.missing(summary["rounds"]) if summary["state"] == "done" else "the run is not done"
    else:
        experiment = run.experiment
        try:
            network = experiment.kind.is_network
            scores = scores_of_networks(run.team(thetas)) if network else scores_of_tables(thetas)
            judged = (run.world, run.dag, scores, experiment.seed, experiment.steps)
            played, drawn = (evaluate_by_playing(*judged, sampled) for sampled in (False, True))
        except WorldFailed as error:
            why = str(error)
        else:
            for prefix, returns in (("", played), ("drawn_", drawn)):
                found |= {f"{prefix}return_{end}": getattr(returns, end) for end in _ENDS}
                if returns.alike:
                    found[f"{prefix}return_interval_reason"] = _all_alike(returns.episodes)
            counts = {"return_episodes": played.episodes, "return_episodes_cut": played.cut}
            return found | {"return_stderr": None} | counts
    unknown = [f"{prefix}return_{end}" for prefix in ("", "drawn_") for end in _ENDS]
    return found | dict.fromkeys((*unknown, "return_stderr")) | {f"{key}_reason": why for key in unknown}


def _all_alike(episodes: int) -> str:
    return f"all {episodes} returns were alike: of how far others would scatter their interval says nothing"


def _last(lines: list[Line], keys: tuple[str, ...], reason: str, prefix: str = "") -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key in keys:
        value = number(getattr(lines[-1], key)) if lines else None
        result[prefix + key] = value
        if value is None:
            given = getattr(lines[-1], f"{key}_reason") if lines else UNSET
            result[f"{prefix}{key}_reason"] = given or reason
    return result


def _digest(run: RunFolder, round_: int) -> dict[str, Any]:
    """Return the digest over all thetas, if they are here, and that of each, as far as it is known."""
    thetas, each = run.thetas(round_), _theta_digests(run, round_)
    if thetas is not None:
        found: dict[str, Any] = {"policy_digest": policy_digest(thetas)}
        missing = "the coordinator was started again after the last update"
    else:
        missing = run.missing(round_)
        remark = "; theta_digests are as its agents told them" if each else ""
        found = {"policy_digest": None, "policy_digest_reason": missing + remark}
    return found | {"theta_digests": each} | ({} if each else {"theta_digests_reason": missing})


def _theta_digests(run: RunFolder, round_: int) -> list[str] | None:
    """Return the digest of each agent's theta: as the agents told it, or of what is in their folders."""
    summary = run.summary or {}
    reported = summary.get("theta_digests")
    if reported and summary.get("rounds") == round_:
        return list(reported)
    held = [load_snapshots(run.agent(agent)) for agent in range(run.agents)]
    return [own[round_].digest for own in held] if all(round_ in own for own in held) else None


def draw_curves(run: RunFolder, fence: Fence) -> str:
    """Draw `curves.png`; return what went wrong, which is no reason to fail a run."""
    target = run.path / run_files.CURVES
    try:
        from bnpg.curves import draw
        from bnpg.report.measurements import Measurements
        from bnpg.report.numbers import floor_of

        title = f"{run.identity['game']}: DAG {shorten(run.experiment.dag)}, {run.experiment.mode} mode"
        draft = Path(fence.draft(target.name))
        floor = None if run.simulator is not None else floor_of(run.game)
        draw(Measurements(run.lines), draft, title, floor)
        draft.replace(target)
    except ModuleNotFoundError as error:
        return f"{target} is not drawn: {lacks_extra(error) or error}"
    except Exception as error:  # whatever a plotting library or a full disk may raise
        return f"{target} could not be drawn: {' '.join(str(error).split())}"
    return ""


def shorten(text: str, most: int = 40) -> str:
    """Cut a long text in the middle of nowhere, but visibly."""
    return text if len(text) <= most else text[: most - 2] + ".."


def human_summary(run: RunFolder, summary: dict[str, Any]) -> str:
    """Return the summary as lines for a person."""
    folder = run.path
    lines = [_headline(summary), ""]
    rows = _rows(summary)
    width = max((len(value) for _, value, _ in rows), default=0)
    lines += [f"  {name:<15} {value:<{width}}   {meaning}".rstrip() for name, value, meaning in rows]
    notices = [f"Notice: {notice}" for notice in summary.get("notices", ())]
    lines += ["", *notices] if notices else []
    unit = 0.0 if run.simulator is not None else returns_range(run.game)
    certified = certificate_lines(run.experiment, summary, unit)
    lines += ["", *certified] if certified else []
    lines += ["", f"Files in {folder}"]
    there = [(name, meaning) for name, meaning in _FILES if (folder / name).exists()]
    broad = max((len(name) for name, _ in there), default=0)
    lines += [f"  {name:<{broad}}  {meaning}" for name, meaning in there]
    lines += ["", "Next", *_next_commands(folder, summary, run.experiment.schedule == "constant")]
    return "\n".join(lines)


_FILES = (
    (run_files.CURVES, "the picture of this run"),
    (run_files.RECORD, "a line a round"),
    (run_files.EXPERIMENT, "what was run"),
    (run_files.SUMMARY, "these numbers for machines"),
    (run_files.POLICY, "the joint policy"),
    (run_files.CERTIFICATE, "what is proved for this policy"),
    ("trace", "every message"),
)


def _headline(summary: dict[str, Any]) -> str:
    rounds, seconds = summary["rounds"], summary["seconds"]
    speed = f" ({_rate(rounds / seconds)} rounds/s)" if rounds and seconds else ""
    processes = f"{summary['processes']} process" + "es" * (summary["processes"] > 1)
    head = {"done": "Done", "interrupted": "Interrupted"}.get(summary["state"], "Failed")
    part = (
        f"{rounds} rounds" if summary["state"] == "done" else f"{rounds} of {summary['rounds_total']} rounds"
    )
    return f"{head}: {part} in {duration(seconds)}{speed}, {processes}"


def _rate(rate: float) -> str:
    """Return so many a second; of less than one the digits that say how many, instead of 0.0."""
    return f"{rate:.1f}" if rate >= 1.0 else f"{rate:.2g}"


def _return_row(name: str, summary: dict[str, Any], prefix: str, of: str, width: str) -> tuple[str, str, str]:
    mean: float = summary[f"{prefix}return_mean"]
    low, high = summary.get(f"{prefix}return_low"), summary.get(f"{prefix}return_high")
    if f"{prefix}return_interval_reason" in summary:
        return name, with_error(mean, None), f"{of}, all alike"
    if low is None or high is None:
        return name, with_error(mean, None), of
    return name, with_ends(mean, low, high), of + width


def _rows(summary: dict[str, Any]) -> list[tuple[str, str, str]]:
    rows = []
    if summary.get("return_episodes") is not None and summary["return_mean"] is not None:
        cut = summary["return_episodes_cut"]
        often = f"of {summary['return_episodes']} episodes nobody trained on, most probable actions"
        often += f", {cut} of them cut" * bool(cut)
        rows.append(_return_row("return", summary, "", often, ", 95 %"))
        if summary.get("drawn_return_mean") is not None:
            rows.append(_return_row("drawn", summary, "drawn_", "of the same, actions drawn", ""))
        return rows
    if summary["return_mean"] is not None:
        told = with_error(summary["return_mean"], summary["return_stderr"])
        rows.append(("return", told, "of the last episodes, ± one standard error"))
    if summary["value"] is None:
        reason = summary.get("value_reason", "its reason is missing in the summary")
        return [*rows, ("exact value", "-", f"not known: {reason}")]
    late = (
        ""
        if summary["evaluated_round"] == summary["rounds"]
        else f" after {summary['evaluated_round']} rounds"
    )
    value, best, gap = summary["value"], summary["optimal_value"], summary["optimality_gap"]
    rows.append(("exact value", decimals(value), f"expected return of the team's policy{late}"))
    if best is not None:
        rows.append(("best possible", decimals(best), "expected return of the best joint policy, V*"))
    if gap is not None:
        rows.append(("optimality gap", f"{gap:.4g}", _distance(gap, best)))
    nash = summary["nash_gap"]
    if nash is not None:
        rows.append(("Nash gap", f"{nash:.4g}", "most that one agent could still gain on its own"))
    return rows


def _distance(gap: float, best: float | None) -> str:
    if best is None or abs(best) <= 1e-9 * gap:
        return "how far the team is from the best joint policy"
    percent = 100 * gap / abs(best)
    # What is not nothing is not told as 0.00.
    told = f"{percent:.{0 if percent >= 10 else 2}f}" if percent >= 0.01 or not percent else f"{percent:.2g}"
    return f"{told} % of V* away from the best joint policy"


def _next_commands(folder: Path, summary: dict[str, Any], extensible: bool) -> list[str]:
    run = shlex.quote(str(folder))
    again = f"bnpg train {shlex.quote(str(folder / 'experiment.toml'))}"
    if summary["state"] != "done":
        return [f"  bnpg resume {run}"]
    other = "complete" if summary["dag"] == "empty" else "empty"
    seed = f"--seed {summary['seed'] + 1}"
    more = [(f"bnpg resume {run} --rounds {2 * summary['rounds']}", "more rounds")]
    rows = [
        *more * (extensible and summary["rounds"] == summary["rounds_total"] > 0),
        # In exact mode nothing is drawn but where learning begins.
        (f"{again} --initial normal {seed}", "another beginning")
        if summary["mode"] == "exact"
        else (f"{again} {seed}", "another seed"),
        (f"{again} --dag {other}", "another team"),
        ("bnpg games", "other games"),
    ]
    width = max(len(command) for command, _ in rows)
    return [f"  {command:<{width}}   {meaning}" for command, meaning in rows]
