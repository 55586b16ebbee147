"""The exact command that gives this run again, bit for bit."""

import re
import shlex
from dataclasses import dataclass

import msgspec
from bnpg_coordinator.experiment import Experiment, experiment_toml

from bnpg.report.recorded_run import RecordedRun

_OPTIONS = {
    "mode": "--mode", "dag": "--dag", "rounds": "--rounds", "learning-rate": "--learning-rate",
    "step-size": "--step-size", "direction": "--direction", "momentum": "--momentum",
    "regularization": "--regularization", "lanes": "--lanes", "parts": "--parts", "horizon": "--horizon",
    "baseline": "--baseline", "seed": "--seed", "evaluate-every": "--evaluate-every",
}  # fmt: skip
_SAMPLED_ONLY = {"lanes", "parts", "horizon", "baseline"}


@dataclass(frozen=True)
class Reproduction:
    """How to do it again.

    Parameters
    ----------
    command : str
        For a shell.
    needs : str
        What the command needs besides the program; empty if nothing.
    digest : str
        The `policy_digest` it must come to; empty if it is not known.
    experiment : str
        The resolved experiment as TOML.
    versions : str
        What the run was made with.
    words : tuple of str
        The command again, in parts that belong on one line.
    """

    command: str
    needs: str
    digest: str
    experiment: str
    versions: str
    words: tuple[str, ...]


def reproduction(run: RecordedRun) -> Reproduction:
    """Return the command, what it needs and what it must give."""
    experiment = run.experiment
    files = [name for name in (experiment.game, experiment.initial) if name.endswith(".npz")]
    if files:
        words = ["bnpg", "train", str(run.folder / "experiment.toml")]
        needs = f"It reads {' and '.join(files)} from the run folder, beside experiment.toml."
    else:
        words = ["bnpg", "train", experiment.game, *_flags(experiment)]
        needs = ""
    if run.settings.faults:
        words += ["--faults", str(run.folder / run.settings.faults)]
        needs = f"{needs} The fault plan is in the run folder; the result is the same without it.".strip()
    summary, identity = run.summary or {}, run.identity
    versions = ", ".join(
        f"{name} {identity[name]}" for name in ("bnpg", "python", "numpy") if name in identity
    )
    return Reproduction(
        command=shlex.join(words),
        needs=needs,
        digest=str(summary.get("policy_digest") or ""),
        experiment=experiment_toml(experiment),
        versions=versions,
        words=tuple(re.sub(r" (?=--)", "\n", shlex.join(words)).split("\n")),
    )


def _flags(experiment: Experiment) -> list[str]:
    """Return the flags whose values are not the defaults; the mode is always said."""
    fields, defaults = msgspec.to_builtins(experiment), msgspec.to_builtins(Experiment(game=""))
    flags: list[str] = []
    for field, option in _OPTIONS.items():
        if field in _SAMPLED_ONLY and experiment.mode == "exact":
            continue
        if field in ("mode", "dag", "rounds", "seed") or fields[field] != defaults[field]:
            flags += [option, str(fields[field])]
    if experiment.initial != "zeros":
        flags += ["--initial", experiment.initial]
    for field in ("trace", "save-policy"):
        if fields[field]:
            flags.append(f"--{field}")
    return flags
