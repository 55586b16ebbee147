"""The certificate of a run: what is proved for the very theta it ended with, and by what."""

import json
import math
import platform
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from agents.checkpoint import load_latest
from bnpg import __version__
from bnpg.evaluation.document import as_json
from bnpg.evaluation.measure import Evaluation, measure
from bnpg_math.dag_text import parse_dag
from bnpg_math.game import Game
from bnpg_math.policy_file import Policy
from bnpg_math.rates import rates
from coordinator.experiment import read_experiment
from coordinator.loading import load_game
from protocol.files import write_atomically

FILE = "certificate.json"
AFFORDABLE = 1_000_000
"""Up to this many S^2 times joint actions, M is computed for every run, within a few seconds."""


def write_certificate(folder: Path, rounds: int) -> dict[str, Any] | None:
    """Judge the policy a run ended with, and write down what is proved for it.

    Parameters
    ----------
    folder : Path
        A run folder whose run is done.
    rounds : int
        R; the thetas are those of round R in the agents' own folders.

    Returns
    -------
    dict or None
        None if the agents keep their thetas elsewhere.
    """
    experiment = read_experiment(folder / "experiment.toml")
    game = load_game(experiment, folder)
    policy = _policy(folder, game, experiment.dag, rounds)
    if policy is None:
        return None
    lam = experiment.regularization
    affordable = game.states**2 * game.joint_actions <= AFFORDABLE
    measured = measure(game, policy, lam, mismatch=affordable)
    document = as_json(measured)
    if not affordable:
        document["mismatch_reason"] = "the game is large: ask for it with bnpg evaluate --mismatch"
    promised = rates(game, policy.dag, lam, measured.mismatch) if lam > 0.0 else []
    certificate = {
        "proved": _proved(measured),
        "game": experiment.game,
        "game_digest": game.digest,
        "policy_digest": policy.digest,
        "dag": [list(edge) for edge in policy.dag.edges],
        "rounds": rounds,
        "regularization": lam,
        "predicted_rounds": {
            theorem: {
                rate.form: {"rounds": rate.rounds, "epsilon": rate.epsilon, "reason": rate.reason}
                for rate in promised
                if rate.theorem == theorem
            }
            for theorem in ("theorem_1", "theorem_2")
        },
        **document,
        "versions": {
            "bnpg": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
    }
    write_atomically(folder / FILE, (json.dumps(certificate, indent=2) + "\n").encode(), fsync=False)
    return certificate


def _proved(measured: Evaluation) -> list[dict[str, Any]]:
    """Return every claim that holds for this policy, the strongest of each kind first."""
    claims: list[dict[str, Any]] = [
        {"claim": "epsilon-nash", "epsilon": measured.nash_gap, "by": "exact best responses"},
        {"claim": "epsilon-optimal", "epsilon": measured.optimality_gap, "by": "exact policy iteration"},
    ]
    for bound in measured.bounds:
        if bound.form == "printed" or bound.met is not True or bound.bound is None:
            continue
        kind = {"lemma_2": "epsilon-nash", "lemma_3": "epsilon-optimal"}.get(bound.lemma)
        if kind is None or not math.isfinite(bound.bound):
            continue
        claims.append(
            {
                "claim": kind,
                "epsilon": bound.bound,
                "by": f"Lemma {bound.lemma[-1]}, {bound.form} form",
                "gradient": bound.gradient,
                "norm": bound.norm,
                "threshold": bound.threshold,
                "mismatch": measured.mismatch,
            }
        )
    return claims


def in_words(certificate: dict[str, Any]) -> str:
    """Return what is proved as one sentence."""
    by_lemma = [claim for claim in certificate["proved"] if claim["by"].startswith("Lemma")]
    nash, optimal = certificate["proved"][:2]
    text = f"this policy is {nash['epsilon']:.4g}-Nash and {optimal['epsilon']:.4g}-optimal, computed exactly"
    if by_lemma:
        best = by_lemma[-1]
        text += (
            f"; its gradient alone proves {best['epsilon']:.4g} ({best['by']}, M = {best['mismatch']:.4g})"
        )
    return text


def _policy(folder: Path, game: Game, dag: str, rounds: int) -> Policy | None:
    held = [load_latest(folder / "agents" / f"agent-{agent}") for agent in range(game.agents)]
    if not all(rounds in thetas for thetas in held):
        return None
    return Policy(parse_dag(dag, game.agents), tuple(thetas[rounds] for thetas in held))
