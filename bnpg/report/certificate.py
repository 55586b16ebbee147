"""The certificate of a run in plain words, and as a table of the lemmas."""

import json
import math
from dataclasses import dataclass
from typing import Any

from bnpg.certified.words import rounded_up
from bnpg.report.numbers import shown

LEMMAS = {
    "lemma_2": "Lemma 2: Nash gap",
    "lemma_3": "Lemma 3: optimality gap",
    "lemma_4": "Lemma 4: smoothness β",
    "theorem_d1": "Theorem D1: optimality gap",
}
_NORMS = {
    "l2": "euclidean",
    "max": "largest entry",
    "family": "largest entry upwards",
    "path": "sum along a joint action",
    "none": "-",
}
_CLAIMS = {
    "epsilon-nash": (
        "an ε-Nash equilibrium",
        "no agent can gain more than that by changing its own policy alone",
    ),
    "epsilon-optimal": ("ε-optimal", "no joint policy earns more than that above it"),
}


@dataclass(frozen=True)
class CertificateView:
    """What a page says of the guarantees.

    Parameters
    ----------
    words : list of str
    rows : list of list of str
        Lemma, form, norm, gradient, threshold, met, bound, measured, holds.
    predictions : list of list of str
        Theorem, form, rounds predicted, for which epsilon.
    file : str
        The certificate itself.
    """

    words: list[str]
    rows: list[list[str]]
    predictions: list[list[str]]
    file: str


def certificate_view(certificate: dict[str, Any]) -> CertificateView:
    """Return what `certificate.json` says; what another version does not say is left out."""
    bounds: dict[str, dict[str, dict[str, Any]]] = certificate.get("bounds") or {}
    rows = [
        _row(LEMMAS.get(lemma, lemma), form, fields)
        for lemma, forms in bounds.items()
        for form, fields in forms.items()
    ]
    predictions = [
        [
            f"Theorem {theorem[-1]}",
            form,
            _bound(rate.get("rounds"), 3),
            _bound(rate.get("epsilon")) if rate.get("rounds") is not None else str(rate.get("reason") or "-"),
        ]
        for theorem, forms in (certificate.get("predicted_rounds") or {}).items()
        for form, rate in forms.items()
    ]
    return CertificateView(_words(certificate, bounds), rows, predictions, json.dumps(certificate, indent=2))


def _words(certificate: dict[str, Any], bounds: dict[str, dict[str, dict[str, Any]]]) -> list[str]:
    weight = certificate.get("regularization")
    sentences = [
        f"This is about the policy after {certificate.get('rounds')} rounds, with λ = {_number(weight)}."
    ]
    if certificate.get("mismatch") is not None:
        sentences.append(
            f"The mismatch coefficient M of the game is at most {_bound(certificate['mismatch'])}."
        )
    elif certificate.get("mismatch_reason"):
        sentences.append(
            f"The mismatch coefficient M is not a number here: {certificate['mismatch_reason']}."
        )
    for claim in certificate.get("proved", ()):
        what, meaning = _CLAIMS.get(claim.get("claim"), (str(claim.get("claim")), ""))
        sentences.append(
            f"It is {what} with ε = {_bound(claim.get('epsilon'))}, by {claim.get('by')}: {meaning}."
        )
    if not any(
        str(claim.get("by", "")).startswith(("Lemma", "Theorem")) for claim in certificate.get("proved", ())
    ):
        sentences.append(_why_not(weight, bounds))
    refuted = [
        f"{LEMMAS.get(lemma, lemma)}, {form} form"
        for lemma, forms in bounds.items()
        for form, fields in forms.items()
        if fields.get("met") and fields.get("holds") is False
    ]
    if refuted:
        sentences.append(f"Refuted here, its condition met and its promise broken: {'; '.join(refuted)}.")
    return sentences


def _why_not(weight: Any, bounds: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Say why the gradient alone proves nothing."""
    if not weight:
        return "Without regularization (λ = 0) the thresholds of the lemmas are 0, and they promise nothing."
    if "theorem_d1" in bounds:
        form = bounds["theorem_d1"].get("tight", {})
        return (
            f"Theorem D1 promises nothing yet: the largest entry of the gradient is "
            f"{_number(form.get('gradient'))}, and it needs {_number(form.get('threshold'))}."
        )
    if not any(bounds.values()):
        return "The lemmas on the uniform barrier say nothing of a weighted one."
    tight = bounds.get("lemma_2", {}).get("tight", {})
    if tight.get("met"):
        return f"The lemmas give no number here: {tight.get('reason')}."
    return (
        f"The lemmas promise nothing yet: the gradient is {_number(tight.get('gradient'))}, "
        f"and Lemma 2 (tight form) needs {_number(tight.get('threshold'))}."
    )


def _row(lemma: str, form: str, fields: dict[str, Any]) -> list[str]:
    answers: dict[Any, str] = {True: "yes", False: "no", None: "-"}
    return [
        lemma, form, _NORMS.get(str(fields.get("norm")), "-"), _number(fields.get("gradient")),
        _number(fields.get("threshold")), answers[fields.get("met")], _bound(fields.get("bound")),
        _number(fields.get("measured")), answers[fields.get("holds")],
    ]  # fmt: skip


def _bound(value: Any, digits: int = 4) -> str:
    """Write what something is at most, rounded up."""
    known = isinstance(value, int | float) and math.isfinite(value)
    return rounded_up(float(value), digits) if known else "-"


def _number(value: Any) -> str:
    return shown(float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else "-"
