"""How a run ended: for machines as one object, for people as a few lines."""

import json
import math
import shlex
from pathlib import Path
from typing import Any

from bnpg_agents.checkpoint import load_latest
from bnpg_coordinator.experiment import Experiment, read_experiment
from bnpg_coordinator.loading import load_game
from bnpg_coordinator.run_record import read_lines
from bnpg_protocol.process.files import write_atomically
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.certificate import certificate_lines, certify, uncertified
from bnpg.launchers.settings import Outcome
from bnpg.run_folder import read_identity, read_summary
from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.solver_numerics import full_fingerprint
from bnpg_math.policies.file import load_policy, policy_digest

METRICS = ("value", "nash_gap", "optimality_gap", "objective", "gradient_norm")
"""What an exact evaluation measures."""
RETURNS = ("return_mean", "return_stderr")
"""What a sampled round measures."""

_STATES = {ExitCode.DONE: "done", ExitCode.INTERRUPTED: "interrupted"}


def finish_summary(folder: Path, outcome: Outcome) -> dict[str, Any]:
    """Complete the coordinator's summary of a run, on disk too, and return it.

    Parameters
    ----------
    folder : Path
        The run folder.
    outcome : Outcome
        What the launcher says.

    Returns
    -------
    dict
        Every key is there in every run; what is not known is None with a `KEY_reason` beside it.
    """
    experiment = read_experiment(folder / "experiment.toml")
    identity = read_identity(folder)
    lines = read_lines(folder / "metrics.jsonl")
    # A coordinator that was killed has left no word: the record tells how far it came.
    recorded = read_summary(folder) or {
        "state": _STATES.get(outcome.code, "failed"),
        "why": outcome.why or f"the run ended with code {int(outcome.code)}",
        "rounds": 0,
        "seconds": 0.0,
    }
    if lines:
        # One that ended before everybody was there knows nothing of the rounds of earlier lives.
        seconds = math.fsum(float(line.get("seconds") or 0.0) for line in lines)
        recorded["rounds"] = max(recorded["rounds"], lines[-1]["round"])
        recorded["seconds"] = max(recorded["seconds"], round(seconds, 6))
    if outcome.code not in _STATES and recorded["state"] in _STATES.values():
        recorded |= {"state": "failed", "why": outcome.why or recorded["why"]}
    summary = {key: recorded[key] for key in ("state", "why", "rounds", "seconds")}
    summary["rounds_total"] = experiment.rounds
    summary["processes"] = outcome.processes
    summary |= _measured(experiment, lines)
    summary |= _digest(folder, load_game(experiment, folder).agents, summary["rounds"])
    done = summary["state"] == "done"
    summary |= certify(folder, summary["rounds"]) if done else uncertified("the run is not done")
    summary |= {
        "game": identity["game"],
        "mode": experiment.mode,
        "dag": experiment.dag,
        "seed": experiment.seed,
        "run": identity["run"],
        "numerics": identity.get("numerics") or full_fingerprint(),
        "run_dir": str(folder.absolute()),
    }
    summary = finite(summary)
    write_atomically(folder / "summary.json", (json.dumps(summary, indent=2) + "\n").encode(), fsync=False)
    return summary


def finite(fields: dict[str, Any]) -> dict[str, Any]:
    """Replace numbers that are not finite by None, with a reason beside them."""
    result: dict[str, Any] = {}
    for key, value in fields.items():
        if isinstance(value, float) and not math.isfinite(value):
            result |= {key: None, f"{key}_reason": f"{value} is not finite"}
        else:
            result[key] = value
    return result


def _measured(experiment: Experiment, lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the last evaluation and the last return, each with the round it is of."""
    evaluated = [line for line in lines if "nash_gap" in line]
    played = [line for line in lines if "return_mean" in line]
    never = "evaluate-every is 0" if not experiment.evaluate_every else "the run ended before an evaluation"
    unplayed = "nothing is played in exact mode" if experiment.mode == "exact" else "no round was played"
    measured = _last(evaluated, METRICS, never)
    if evaluated and None not in (measured["value"], measured["optimality_gap"]):
        measured["optimal_value"] = measured["value"] + measured["optimality_gap"]
    else:
        measured |= {"optimal_value": None, "optimal_value_reason": never}
    measured |= _last(evaluated, ("round",), never, "evaluated_")
    return measured | _last(played, RETURNS, unplayed)


def _last(
    lines: list[dict[str, Any]], keys: tuple[str, ...], reason: str, prefix: str = ""
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key in keys:
        value = lines[-1].get(key) if lines else None
        result[prefix + key] = value
        if value is None:
            result[f"{prefix}{key}_reason"] = lines[-1].get(f"{key}_reason", reason) if lines else reason
    return result


def _digest(folder: Path, agents: int, round_: int) -> dict[str, Any]:
    if (folder / "policy.npz").exists():
        # Gathered by the coordinator: agents on other hosts keep their own folders there.
        return {"policy_digest": load_policy(folder / "policy.npz").digest}
    thetas: list[FloatArray] = []
    for agent in range(agents):
        held = load_latest(folder / "agents" / f"agent-{agent}")
        if round_ not in held:
            reason = f"agent {agent} keeps no theta of round {round_} in this folder"
            return {"policy_digest": None, "policy_digest_reason": reason}
        thetas.append(held[round_])
    return {"policy_digest": policy_digest(thetas)}


def draw_curves(folder: Path) -> str:
    """Draw `curves.png`; return what went wrong, which is no reason to fail a run."""
    try:
        from bnpg.curves import draw

        experiment = read_experiment(folder / "experiment.toml")
        title = f"{read_identity(folder)['game']}: DAG {shorten(experiment.dag)}, {experiment.mode} mode"
        draw(read_lines(folder / "metrics.jsonl"), folder / "curves.png", title)
    except Exception as error:  # whatever a plotting library or a full disk may raise
        return f"{folder / 'curves.png'} could not be drawn: {' '.join(str(error).split())}"
    return ""


def shorten(text: str, most: int = 40) -> str:
    """Cut a long text in the middle of nowhere, but visibly."""
    return text if len(text) <= most else text[: most - 2] + ".."


def human_summary(folder: Path, summary: dict[str, Any]) -> str:
    """Return the summary as lines for a person."""
    lines = [_headline(summary), ""]
    rows = _rows(summary)
    width = max((len(value) for _, value, _ in rows), default=0)
    lines += [f"  {name:<15} {value:<{width}}   {meaning}".rstrip() for name, value, meaning in rows]
    told = certificate_lines(folder, summary)
    lines += ["", *told] if told else []
    lines += ["", f"Files in {folder}"]
    for name, meaning in _FILES:
        if (folder / name).exists():
            lines.append(f"  {name:<15} {meaning}")
    lines += ["", "Next", *_next_commands(folder, summary)]
    return "\n".join(lines)


_FILES = (
    ("curves.png", "the picture of this run"),
    ("metrics.jsonl", "a line a round"),
    ("experiment.toml", "what was run"),
    ("summary.json", "these numbers for machines"),
    ("policy.npz", "the joint policy"),
    ("certificate.json", "what is proved for this policy"),
    ("trace", "every message"),
)


def _headline(summary: dict[str, Any]) -> str:
    rounds, seconds = summary["rounds"], summary["seconds"]
    speed = f" ({rounds / seconds:.1f} rounds/s)" if rounds and seconds else ""
    processes = f"{summary['processes']} process" + "es" * (summary["processes"] > 1)
    head = {"done": "Done", "interrupted": "Interrupted"}.get(summary["state"], "Failed")
    part = (
        f"{rounds} rounds" if summary["state"] == "done" else f"{rounds} of {summary['rounds_total']} rounds"
    )
    return f"{head}: {part} in {seconds:.1f} s{speed}, {processes}"


def _rows(summary: dict[str, Any]) -> list[tuple[str, str, str]]:
    rows = []
    if summary["return_mean"] is not None:
        error = summary["return_stderr"]
        uncertainty = "" if error is None else f" ± {error:.3f}"
        rows.append(
            (
                "return",
                f"{summary['return_mean']:.3f}{uncertainty}",
                "of the last episodes, ± one standard error",
            )
        )
    if summary["value"] is None:
        return [*rows, ("exact value", "-", f"not known: {summary['value_reason']}")]
    late = (
        ""
        if summary["evaluated_round"] == summary["rounds"]
        else f" after {summary['evaluated_round']} rounds"
    )
    value, best, gap = summary["value"], summary["optimal_value"], summary["optimality_gap"]
    rows.append(("exact value", f"{value:.4f}", f"expected return of the team's policy{late}"))
    rows.append(("best possible", f"{best:.4f}", "expected return of the best joint policy, V*"))
    rows.append(("optimality gap", f"{gap:.4g}", _distance(gap, best)))
    rows.append(("Nash gap", f"{summary['nash_gap']:.4g}", "most that one agent could still gain on its own"))
    return rows


def _distance(gap: float, best: float) -> str:
    if abs(best) < 1e-9:
        return "how far the team is from the best joint policy"
    percent = 100 * gap / abs(best)
    return f"{percent:.{0 if percent >= 10 else 2}f} % of V* away from the best joint policy"


def _next_commands(folder: Path, summary: dict[str, Any]) -> list[str]:
    run = shlex.quote(str(folder))
    again = f"bnpg train {shlex.quote(str(folder / 'experiment.toml'))}"
    if summary["state"] != "done":
        return [f"  bnpg resume {run}"]
    other = "complete" if summary["dag"] == "empty" else "empty"
    rows = [
        (f"{again} --seed {summary['seed'] + 1}", "another seed"),
        (f"{again} --dag {other}", "another team"),
        ("bnpg games", "other games"),
    ]
    width = max(len(command) for command, _ in rows)
    return [f"  {command:<{width}}   {meaning}" for command, meaning in rows]
