"""The certificate of a run: what is proved for the very theta it ended with, and by what."""

import json
import math
import platform
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from bnpg_agents.checkpoint import load_latest
from bnpg_coordinator.experiment import Experiment, read_experiment
from bnpg_coordinator.loading import load_game
from bnpg_protocol.process.files import write_atomically

from bnpg import __version__
from bnpg.evaluation.document import as_json
from bnpg.evaluation.effort import is_affordable
from bnpg.evaluation.measure import Evaluation, measure
from bnpg.evaluation.prediction import predicted_rounds, prediction_in_words
from bnpg_math.dag.text import parse_dag
from bnpg_math.games.game import Game
from bnpg_math.policies.file import Policy, load_policy

FILE = "certificate.json"
_LEMMA_OF_GAP = {"nash": "lemma_2", "optimality": "lemma_3"}


def certify(folder: Path, rounds: int) -> dict[str, Any]:
    """Write the certificate of a run that is done, if it can have one; return what its summary says of it.

    Parameters
    ----------
    folder : Path
        The run folder.
    rounds : int
        R, the number of updates that were made.

    Returns
    -------
    dict
        `certificate`, one plain sentence; `certified`, whether the gap of `--stop-at-epsilon` is;
        `predicted_rounds`. What is not known is None with a `KEY_reason` beside it.
    """
    experiment = read_experiment(folder / "experiment.toml")
    if not experiment.evaluate_every:
        return uncertified("evaluate-every is 0")
    game = load_game(experiment, folder)
    policy = _policy(folder, game, experiment.dag, rounds)
    if policy is None:
        return uncertified("the agents keep their thetas on other hosts; --save-policy gathers them")
    certificate = _certificate(experiment, game, policy, rounds)
    write_atomically(folder / FILE, (json.dumps(certificate, indent=2) + "\n").encode(), fsync=False)
    said = {
        "certificate": in_words(certificate),
        "certified": certificate["certified"],
        "predicted_rounds": certificate["predicted_rounds"],
    }
    if not experiment.stop_at_epsilon:
        said["certified_reason"] = "no gap was asked for: --stop-at-epsilon"
    if certificate["predicted_rounds"] is None:
        said["predicted_rounds_reason"] = certificate["predicted_rounds_reason"]
    return said


def uncertified(reason: str) -> dict[str, Any]:
    """Return what a summary says where there is no certificate."""
    keys = ("certificate", "certified", "predicted_rounds")
    return dict.fromkeys(keys) | {f"{key}_reason": reason for key in keys}


def _certificate(experiment: Experiment, game: Game, policy: Policy, rounds: int) -> dict[str, Any]:
    weight, epsilon = experiment.regularization, experiment.stop_at_epsilon
    affordable = is_affordable(game)
    # lambda was chosen as epsilon / M: where M is expensive, it need not be computed a second time.
    known = epsilon / weight if epsilon and not affordable else None
    measured = measure(game, policy, weight, mismatch=affordable, M=known)
    document = as_json(measured)
    if measured.mismatch is None:
        document["mismatch_reason"] = "expensive in this game: ask for it with bnpg evaluate --mismatch"
    predicted = predicted_rounds(game, policy.dag, weight, measured.mismatch, epsilon or None)
    certificate = {
        "proved": _proved(measured),
        "stop_at_epsilon": epsilon or None,
        "stop_gap": experiment.stop_gap if epsilon else None,
        "certified": _is_certified(measured, experiment.stop_gap) if epsilon else None,
        "game": experiment.game,
        "game_digest": game.digest,
        "policy_digest": policy.digest,
        "dag": [list(edge) for edge in policy.dag.edges],
        "rounds": rounds,
        "regularization": weight,
        "learning_rate": experiment.learning_rate,
        "step_size": experiment.step_size,
        "direction": experiment.direction,
        "momentum": experiment.momentum,
        "predicted_rounds": predicted,
        **document,
        "versions": {
            "bnpg": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
    }
    if predicted is None:
        certificate["predicted_rounds_reason"] = (
            "the theorems need a regularization that is not 0, nor next to it"
        )
    return certificate


def _is_certified(measured: Evaluation, gap: str) -> bool:
    """Whether the gradient meets the tight lemma: the very decision with which a run stops early."""
    tight = [bound for bound in measured.bounds if bound.form == "tight"]
    return any(bound.met is True for bound in tight if bound.lemma == _LEMMA_OF_GAP[gap])


def _proved(measured: Evaluation) -> list[dict[str, Any]]:
    """Return every claim that holds for this policy: first the gaps themselves, then what lemmas promise."""
    claims: list[dict[str, Any]] = [
        {"claim": "epsilon-nash", "epsilon": measured.nash_gap, "by": "exact best responses"},
        {"claim": "epsilon-optimal", "epsilon": measured.optimality_gap, "by": "exact policy iteration"},
    ]
    kinds = {"lemma_2": "epsilon-nash", "lemma_3": "epsilon-optimal"}
    # The printed form is history: it proves nothing where it differs.
    promises = [bound for bound in measured.bounds if bound.lemma in kinds and bound.form != "printed"]
    claims += [
        {
            "claim": kinds[bound.lemma],
            "epsilon": bound.bound,
            "by": f"Lemma {bound.lemma[-1]}, {bound.form} form",
            "gradient": bound.gradient,
            "norm": bound.norm,
            "threshold": bound.threshold,
            "mismatch": measured.mismatch,
        }
        for bound in promises
        if bound.met and bound.bound is not None
    ]
    return [claim for claim in claims if math.isfinite(claim["epsilon"])]


def in_words(certificate: dict[str, Any]) -> str:
    """Return what is proved as one plain sentence."""
    kinds = {"epsilon-nash": "Nash", "epsilon-optimal": "optimal"}
    exact = [
        f"{claim['epsilon']:.4g}-{kinds[claim['claim']]}"
        for claim in certificate["proved"]
        if claim["by"].startswith("exact")
    ]
    if not exact:
        return "nothing is proved for this policy: its gaps are not finite numbers"
    text = f"this policy is {' and '.join(exact)}, computed exactly"
    gaps = {"epsilon-nash": "a Nash gap", "epsilon-optimal": "an optimality gap"}
    promised = [
        f"{gaps[claim['claim']]} of at most {claim['epsilon']:.4g} "
        f"({claim['by']}, M = {claim['mismatch']:.4g})"
        for claim in certificate["proved"]
        if claim["by"].endswith("tight form")
    ]
    return text + ("; its gradient alone proves " + " and ".join(promised) if promised else "")


def certificate_lines(folder: Path, summary: dict[str, Any]) -> list[str]:
    """Return what a person is told of the guarantees after a run; nothing if there are none."""
    if not summary.get("certificate"):
        return []
    lines = [f"Certificate: {summary['certificate']}"]
    experiment = read_experiment(folder / "experiment.toml")
    if experiment.stop_at_epsilon:
        gap = f"{'a Nash' if experiment.stop_gap == 'nash' else 'an optimality'} gap"
        goal = f"{gap} of at most {experiment.stop_at_epsilon:g}"
        rounds, most = summary["rounds"], experiment.rounds
        lines.append(
            f"  {goal} is certified after {rounds} of at most {most} rounds"
            if summary["certified"]
            else f"  {goal} is not certified within {most} rounds: give it more, or another learning rate"
        )
    if summary["predicted_rounds"]:
        exact = experiment.ascends and experiment.initial == "zeros"
        told = prediction_in_words(summary["predicted_rounds"], summary["rounds"], exact)
        lines += [f"  {line}" for line in told]
    return lines


def _policy(folder: Path, game: Game, dag: str, rounds: int) -> Policy | None:
    """Return the last theta of everybody, as it was gathered or from the agents' own folders."""
    if (folder / "policy.npz").exists():
        return load_policy(folder / "policy.npz")
    held = [load_latest(folder / "agents" / f"agent-{agent}") for agent in range(game.agents)]
    if not all(rounds in thetas for thetas in held):
        return None
    return Policy(parse_dag(dag, game.agents), tuple(thetas[rounds] for thetas in held))
