"""Checking the certificate of a run folder: that it is of this run, and that every entry holds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bnpg_coordinator.experiment import Experiment

from bnpg.certificate import FILE
from bnpg.certified import exact_check
from bnpg.certified.exact_check import (
    WITNESS,
    CheckError,
    Finding,
    Problem,
    document,
    judge,
    misplaced,
    overstated,
)
from bnpg.certified.exactly import LARGEST, ReadGame, find_vectors_quietly, make_problem, read_game
from bnpg.run_documents import Certificate, read_document
from bnpg.run_folder import RunFolder
from bnpg_math.arrays.npz import read_arrays
from bnpg_math.errors import InputError
from bnpg_math.games.game import Game
from bnpg_math.policies.joint import check_policy


@dataclass(frozen=True)
class Verdict:
    """What was found.

    Parameters
    ----------
    findings : list of Finding
        One an entry of `proved`.
    violations : list of str
        What else is wrong: the certificate is of another game or policy, or promises what it cannot.
    """

    findings: list[Finding]
    violations: list[str]

    @property
    def holds(self) -> bool:
        """Whether everything does."""
        return bool(self.as_json()["holds"])

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return document(self.findings, self.violations)


def check_certificate(folder: Path) -> Verdict:
    """Check the certificate of a run.

    Parameters
    ----------
    folder : Path
        Of a run that is done.

    Returns
    -------
    Verdict

    Raises
    ------
    InputError
        If there is no certificate, or a file that it needs is missing or damaged, or the game is so large
        that it would take hours.
    """
    run = RunFolder(folder)
    if not (folder / FILE).is_file():
        raise InputError(f"{folder} has no {FILE}: a run has one when it ends with an exact evaluation")
    experiment, game = run.experiment, run.game
    try:
        certificate = read_document(folder / FILE, Certificate)
        rounds = certificate["rounds"]
        policy = run.policy(rounds)
        if policy is None:
            raise InputError(f"{run.missing(rounds)}, and there is no policy.npz")
        check_policy(policy, game)
        read = read_game(experiment, folder, game, LARGEST)
        problem = make_problem(read.game, policy, LARGEST)
        findings = _judged(folder, certificate.get("proved"), problem)
    except CheckError as reason:
        raise InputError(f"{folder} cannot be checked exactly: {reason}") from None
    reasons = misplaced(certificate, problem.game, problem.policy) + overstated(certificate, findings)
    reasons += _of_another(certificate, experiment, game) + _altered(folder, read)
    return Verdict(findings, reasons + _without_lambda(certificate))


def _judged(folder: Path, proved: Any, problem: Problem) -> list[Finding]:
    """Judge by the vectors that came with the certificate; where they do not prove it, by better ones."""
    if (folder / WITNESS).exists():
        findings = judge(proved, problem, exact_check.read_vectors(folder, problem))
        if all(finding.holds for finding in findings):
            return findings
    return judge(proved, problem, find_vectors_quietly(problem))


def _of_another(certificate: dict[str, Any], experiment: Experiment, game: Game) -> list[str]:
    reasons = []
    if certificate.get("game_digest") != game.digest:
        reasons.append("the game is another one: its game_digest differs")
    if certificate.get("regularization") != experiment.regularization:
        reasons.append(f"lambda is another one: that of the run is {experiment.regularization!r}")
    return reasons


def _altered(folder: Path, read: ReadGame) -> list[str]:
    """Compare the built-in game that is kept for the stand-alone script with that of the program."""
    if not read.kept or not (folder / WITNESS).exists():
        return []
    kept = read_arrays(folder / WITNESS, "certificate", InputError, read.kept.__contains__)
    same = kept.keys() == read.kept.keys() and all(
        np.array_equal(kept[name], array) for name, array in read.kept.items()
    )
    return [] if same else [f"the game in {WITNESS} is not that of the run"]


def _without_lambda(certificate: dict[str, Any]) -> list[str]:
    if certificate.get("regularization"):
        return []
    lemmas = [
        entry["by"] for entry in certificate["proved"] if str(entry["by"]).startswith(("Lemma", "Theorem"))
    ]
    return [f"{by} promises nothing without regularization" for by in lemmas]
