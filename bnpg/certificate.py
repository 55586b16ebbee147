"""The certificate of a run: what is proved for the very theta it ended with, and by what.

Where it is quick enough the gaps are proved in exact arithmetic (`bnpg.certified`), and a lemma is written
down only if that does not contradict it. So no epsilon is below the true gap, whatever a float made of it.
"""

import json
import math
import platform
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from bnpg_coordinator import run_files
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.loading import certified_learning_rate
from bnpg_coordinator.worlds.table import TableWorld
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.process.files import write_atomically
from bnpg_protocol.wire.errors import StorageFailed

from bnpg import __version__
from bnpg.certified import exactly
from bnpg.certified.confidence import confidence, confidence_in_words
from bnpg.certified.exact_check import WITNESS, CheckError
from bnpg.certified.exactly import Proof
from bnpg.certified.floats import FloatBounds, upper_bounds
from bnpg.certified.words import EXACTLY, IN_FLOATS, rounded_up
from bnpg.counting import counting
from bnpg.evaluation.document import as_json
from bnpg.evaluation.effort import is_affordable
from bnpg.evaluation.from_samples import AT_ONCE, EPISODES, certify_from_samples
from bnpg.evaluation.measure import Evaluation, measure
from bnpg.evaluation.prediction import natural_prediction, predicted_rounds, prediction_in_words
from bnpg.one_thread import one_thread
from bnpg.run_folder import RunFolder
from bnpg.verdict import certificate_label
from bnpg_math.arrays.not_finite import finite_fields
from bnpg_math.arrays.npz import write_arrays
from bnpg_math.dag import Dag
from bnpg_math.dag.perfect import is_perfect
from bnpg_math.errors import GameError
from bnpg_math.games.game import Game
from bnpg_math.policies.joint import Policy
from bnpg_math.theory.additivity import additivity
from bnpg_math.theory.weighted_bound import THEOREM

FILE = run_files.CERTIFICATE
FILES = (FILE, WITNESS)
"""The certificate, and from what it is proved exactly."""
_D1 = "Theorem D1, weighted barrier"
NO_MODEL = "a simulator is played: its model is not known, so no gap can be computed"
_LEMMAS = {"nash": "Lemma 2", "optimality": "Lemma 3"}
_SMALLEST = 1e-290
"""A threshold below this, and the gradient that meets it, may have lost its digits to underflow."""


@one_thread()
def certify(run: RunFolder, rounds: int, fence: Fence, quiet: bool = True) -> dict[str, Any]:
    """Write the certificate of a run that is done, if it can have one; return what its summary says of it.

    Parameters
    ----------
    run : RunFolder
    rounds : int
        R, the number of updates that were made.
    fence : Fence
        Through which it is written, and one that was there is removed.
    quiet : bool
        Show no progress.

    Returns
    -------
    dict
        `certificate`, one plain sentence; `certified`, whether the gap of `--stop-at-epsilon` is;
        `predicted_rounds`. What is not known is None with a `KEY_reason` beside it.
    """
    experiment = run.experiment
    asked = run.simulator is None and experiment.evaluate_every > 0
    policy = run.policy(rounds) if asked else None
    for stale in FILES:
        fence.discard(run.path / stale)
    if run.simulator is not None:
        return uncertified(NO_MODEL)
    if experiment.kind.is_network:
        return uncertified("certificates are of tables: the gap of networks is measured, not proved")
    if not experiment.evaluate_every:
        return uncertified("evaluate-every is 0")
    if policy is None:
        return uncertified("the agents keep their thetas on other hosts; save-policy gathers them")
    certificate = _certificate(run, policy, rounds, fence, quiet)
    content = (json.dumps(certificate, indent=2) + "\n").encode()
    write_atomically(run.path / FILE, content, run.settings.fsync, fence)
    fields = {
        "certificate": in_words(certificate),
        "certified": certificate["certified"],
        "predicted_rounds": certificate["predicted_rounds"],
    }
    if not experiment.stop_at_epsilon:
        fields["certified_reason"] = "no gap was asked for: stop-at-epsilon is 0"
    if certificate["predicted_rounds"] is None:
        fields["predicted_rounds_reason"] = certificate["predicted_rounds_reason"]
    return fields


def _gap_bounds(
    run: RunFolder, policy: Policy, measured: Evaluation, fence: Fence
) -> tuple[dict[str, Any], Proof | FloatBounds]:
    """Bound both gaps, exactly if that is quick enough; say which of the two it was, as JSON."""
    try:
        proof = exactly.prove(run.experiment, run.path, run.game, policy, exactly.UNASKED)
    except CheckError as reason:
        return {"done": False, "reason": str(reason)}, upper_bounds(run.game, measured)
    draft = Path(fence.draft(WITNESS))
    try:
        write_arrays(draft, proof.arrays)
        draft.replace(run.path / WITNESS)
    except OSError as error:
        raise StorageFailed(f"cannot write {run.path / WITNESS}: {error.strerror or error}") from None
    return {
        "done": True,
        "nash_gap_at_most": proof.nash,
        "nash_gap_per_agent_at_most": list(proof.gains),
        "optimality_gap_at_most": proof.optimality,
        "game_sha256": proof.game_digest,
    }, proof


def uncertified(reason: str) -> dict[str, Any]:
    """Return what a summary says where there is no certificate."""
    keys = ("certificate", "certified", "predicted_rounds")
    return dict.fromkeys(keys) | {f"{key}_reason": reason for key in keys}


def _certificate(run: RunFolder, policy: Policy, rounds: int, fence: Fence, quiet: bool) -> dict[str, Any]:
    experiment, game = run.experiment, run.game
    weight, epsilon = experiment.regularization, experiment.stop_at_epsilon
    affordable = is_affordable(game)
    weights = experiment.weights(policy.dag, game.actions)
    measured = measure(game, policy, weights, mismatch=affordable, cover=bool(epsilon))
    document = as_json(measured)
    if measured.mismatch is None:
        document["mismatch_reason"] = "expensive in this game: ask for it with bnpg evaluate --mismatch"
    checked, bounds = _gap_bounds(run, policy, measured, fence)
    proved = proved_claims(measured, bounds, weight)
    uniform, predicted = experiment.barrier == "uniform", None
    if _reaches_the_optimum(experiment, game, policy.dag):
        predicted = natural_prediction(game, certified_learning_rate(experiment, game, policy.dag))
    elif uniform:
        predicted = predicted_rounds(
            game, policy.dag, weight, measured.mismatch, epsilon or None, measured.rate_constants
        )
    certificate = {
        "proved": proved,
        "exact_check": checked,
        "sampled": _sampled(experiment, game, policy, quiet) if experiment.certify_samples else None,
        "stop_at_epsilon": epsilon or None,
        "stop_gap": experiment.stop_gap if epsilon else None,
        "certified": _is_certified(proved, experiment.stop_gap, epsilon) if epsilon else None,
        "game": experiment.game,
        "game_digest": game.digest,
        "policy_digest": policy.digest,
        "dag": [list(edge) for edge in policy.dag.edges],
        "rounds": rounds,
        "regularization": weight,
        "barrier": experiment.barrier,
        "policy": experiment.policy,
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
    if not epsilon:
        unasked = ("stop_at_epsilon", "stop_gap", "certified")
        certificate |= {f"{key}_reason": "no gap was asked for: stop-at-epsilon is 0" for key in unasked}
    if not experiment.certify_samples:
        certificate["sampled_reason"] = "no episodes were asked for: certify-samples is off"
    if predicted is None:
        certificate["predicted_rounds_reason"] = (
            "the theorems need a regularization that is not 0, nor so small beside the rewards that "
            "the rounds they ask for exceed all numbers"
            if uniform
            else "Theorems 1 and 2 speak of the uniform barrier; bnpg dag advise predicts for a weighted one"
        )
    return certificate


def _sampled(experiment: Experiment, game: Game, policy: Policy, quiet: bool) -> dict[str, Any]:
    """Return what fresh episodes say of the Nash gap; of the game they know the rewards' range and mu."""
    what = f"certify-samples: batches of {AT_ONCE} episodes"
    with counting(what, EPISODES // AT_ONCE, quiet, plain=True) as count:
        sought = certify_from_samples(
            TableWorld(game),
            policy.dag,
            policy.thetas,
            regularization=experiment.regularization,
            rewards=(float(game.reward.min()), float(game.reward.max())),
            initial=game.initial,
            delta=experiment.certify_samples,
            seed=experiment.seed,
            on_batch=count,
        )
    outcome = sought.outcome
    return {
        "claim": "epsilon-nash",
        "certified": outcome.certified,
        "epsilon": outcome.epsilon if outcome.certified else None,
        "confidence": confidence(sought.delta),
        "delta": sought.delta,
        "by": "Lemma 2' and an empirical Bernstein bound, from episodes alone",
        "episodes": outcome.episodes,
        "longest": sought.longest,
        "looks": list(sought.looks),
        **finite_fields({"worst": outcome.worst}),
        "constant": outcome.constant if math.isfinite(outcome.constant) else None,
    }


def _reaches_the_optimum(experiment: Experiment, game: Game, dag: Dag) -> bool:
    """Whether Theorem B speaks of a run: natural updates from zeros where local advantages add up."""
    if not experiment.is_plainly_natural or experiment.initial != "zeros" or not is_perfect(dag):
        return False
    if dag.is_complete:
        return True
    try:
        return additivity(game, dag).additive
    except GameError:
        return False  # too large to look at


def _is_certified(proved: list[dict[str, Any]], gap: str, epsilon: float) -> bool:
    """Whether the lemma or theorem with which a run stops early promises so much, and the gap obeys."""
    wanted = (f"{_LEMMAS[gap]}, tight form", _D1)  # an optimality gap is at least any agent's gain
    return any(claim["by"] in wanted and claim["epsilon"] <= epsilon for claim in proved)


def proved_claims(measured: Evaluation, bounds: Proof | FloatBounds, weight: float) -> list[dict[str, Any]]:
    """Return every claim that holds for this policy: first the gaps themselves, then what lemmas promise."""
    words = EXACTLY if isinstance(bounds, Proof) else IN_FLOATS
    limits = {"lemma_2": bounds.nash, "lemma_3": bounds.optimality, THEOREM: bounds.optimality}
    claims: list[dict[str, Any]] = [
        {
            "claim": "epsilon-nash",
            "epsilon": bounds.nash,
            "by": f"best responses, {words}",
        },
        {
            "claim": "epsilon-optimal",
            "epsilon": bounds.optimality,
            "by": f"policy iteration, {words}",
        },
    ]
    kinds = {"lemma_2": "epsilon-nash", "lemma_3": "epsilon-optimal", THEOREM: "epsilon-optimal"}
    M = measured.mismatch
    M = M if M is not None and math.isfinite(M) else None
    # The printed form is history: it proves nothing where it differs. Without lambda the thresholds are 0,
    # and next to it they are lost in the rounding of the gradient.
    promises = [
        bound
        for bound in measured.bounds
        if weight > 0.0 and bound.lemma in kinds and bound.form != "printed" and bound.met
        if bound.threshold is not None and bound.threshold > _SMALLEST
    ]
    claims += [
        {
            "claim": kinds[bound.lemma],
            "epsilon": bound.bound,
            "by": _D1 if bound.lemma == THEOREM else f"Lemma {bound.lemma[-1]}, {bound.form} form",
            "gradient": bound.gradient,
            "norm": bound.norm,
            "threshold": bound.threshold,
            "mismatch": M,
            "constant": bound.bound / weight,
        }
        for bound in promises
        # The condition and M are computed in floats. A promise below what is proved otherwise is none.
        if bound.bound is not None and bound.bound >= limits[bound.lemma]
    ]
    return [claim for claim in claims if math.isfinite(claim["epsilon"])]


def in_words(certificate: dict[str, Any]) -> str:
    """Return what is proved as one plain sentence, with every epsilon rounded up."""
    kinds = {"epsilon-nash": "Nash", "epsilon-optimal": "optimal"}
    gaps = [claim for claim in certificate["proved"] if not claim["by"].startswith(("Lemma", "Theorem"))]
    if not gaps:
        return "nothing is proved for this policy: its gaps are not finite numbers"
    computed = [f"{rounded_up(claim['epsilon'])}-{kinds[claim['claim']]}" for claim in gaps]
    words = EXACTLY if certificate["exact_check"]["done"] else IN_FLOATS
    text = f"this policy is {' and '.join(computed)}, {words}"
    names = {"epsilon-nash": "a Nash gap", "epsilon-optimal": "an optimality gap"}
    promised = [
        f"{names[claim['claim']]} of at most {rounded_up(claim['epsilon'])} "
        f"({claim['by']}, C = {rounded_up(claim['constant'])})"
        for claim in certificate["proved"]
        if claim["by"].endswith("tight form") or claim["by"] == _D1
    ]
    text += "; its gradient promises " + " and ".join(promised) if promised else ""
    sampled = certificate["sampled"]
    if sampled is None:
        return text
    found, sure = f"{sampled['episodes']} fresh episodes certify", confidence_in_words(sampled["delta"])
    if not sampled["certified"]:
        return f"{text}; {found} nothing with {sure}"
    return f"{text}; {found} a Nash gap of at most {rounded_up(sampled['epsilon'])} with {sure}"


def certificate_lines(experiment: Experiment, summary: dict[str, Any], unit: float = 0.0) -> list[str]:
    """Return what a person is told of the guarantees after a run; nothing if there are none.

    Parameters
    ----------
    experiment : Experiment
    summary : dict
        What `summary.json` says.
    unit : float
        Range of the returns, beside which a gap is large or small; 0 if it is not known.
    """
    if not summary.get("certificate"):
        return []
    gaps = summary.get("nash_gap"), summary.get("optimality_gap")
    lines = [f"{certificate_label(gaps, unit)}: {summary['certificate']}"]
    if experiment.stop_at_epsilon:
        goal, rounds, most = experiment.goal, summary["rounds"], experiment.rounds
        lines.append(
            f"  {goal} is certified after {rounds} of at most {most} rounds"
            if summary["certified"]
            else f"  {goal} is not certified within {most} rounds: give it more, or another learning rate"
        )
    if summary["predicted_rounds"]:
        # Theorem B is asked only about runs that are as it assumes.
        exact = (experiment.ascends and experiment.initial == "zeros") or experiment.is_plainly_natural
        words = prediction_in_words(summary["predicted_rounds"], summary["rounds"], exact)
        lines += [f"  {line}" for line in words]
    return lines
