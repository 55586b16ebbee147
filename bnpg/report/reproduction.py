"""The exact command that gives this run again, bit for bit."""

import re
import shlex
from dataclasses import dataclass

from bnpg_coordinator import run_files
from bnpg_coordinator.experiment import Experiment, experiment_settings, experiment_toml

from bnpg.report.recorded_run import RecordedRun

_ALWAYS = ("mode", "dag", "rounds", "seed")
"""What a command says even where it is the default: what people look for."""


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
        words = ["bnpg", "train", str(run.folder / run_files.EXPERIMENT)]
        needs = f"It reads {' and '.join(files)} from the run folder, beside experiment.toml."
    else:
        words = ["bnpg", "train", experiment.game, *options(experiment)]
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


def options(experiment: Experiment) -> list[str]:
    """Return the options that give an experiment again, but for its game: all that are not the defaults."""
    words: list[str] = []
    for setting in experiment_settings(type(experiment)):
        value = getattr(experiment, setting.name)
        if not setting.required and (setting.key in _ALWAYS or value != setting.default):
            words += setting.arguments(value)
    return words
