"""An evaluation as a JSON object, and as a table for people: plain, LaTeX or CSV."""

import csv
import io
from typing import Any, Literal

from bnpg.certified.words import rounded_up
from bnpg.evaluation.measure import Evaluation
from bnpg_math.arrays.not_finite import finite_fields
from bnpg_math.theory.bounds import Bound

Format = Literal["table", "latex", "csv"]
_LEMMAS = {"lemma_2": "Lemma 2", "lemma_3": "Lemma 3", "lemma_4": "Lemma 4"}
_NAMES = _LEMMAS | {"theorem_d1": "Theorem D1"}
_DIGITS = 6


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return an evaluation as finite numbers and nulls, each null with its reason beside it."""
    document: dict[str, Any] = {
        "value": evaluation.value,
        "value_per_state": [float(value) for value in evaluation.value_per_state],
        "optimal_value": evaluation.optimal_value,
        "optimality_gap": evaluation.optimality_gap,
        "optimality_gap_upper": evaluation.optimality_gap_upper,
        "nash_gap": evaluation.nash_gap,
        "nash_gap_upper": evaluation.nash_gap_upper,
        "nash_gap_per_agent": list(evaluation.nash_gap_per_agent),
        "nash_gap_upper_per_agent": list(evaluation.nash_gap_upper_per_agent),
        "objective": evaluation.objective,
        "gradient_norm": evaluation.gradient_norm,
        "gradient_max": evaluation.gradient_max,
        "mismatch": evaluation.mismatch,
    }
    if evaluation.mismatch is None:
        document["mismatch_reason"] = "not asked for: --mismatch"
    elif evaluation.mismatch_reason is not None:
        document |= {"mismatch": None, "mismatch_reason": evaluation.mismatch_reason}
    bounds = {
        lemma: {
            bound.form: finite_fields(_bound(bound)) for bound in evaluation.bounds if bound.lemma == lemma
        }
        for lemma in _NAMES
        if lemma in _LEMMAS or any(bound.lemma == lemma for bound in evaluation.bounds)
    }
    return finite_fields(document) | {"bounds": bounds}


def _bound(bound: Bound) -> dict[str, Any]:
    fields = ("norm", "gradient", "threshold", "met", "bound", "measured", "holds", "reason")
    found = {field: getattr(bound, field) for field in fields}
    if bound.norm == "none":
        found |= {f"{field}_reason": "it holds at every policy" for field in ("gradient", "threshold")}
    return found


def as_text(evaluation: Evaluation, form: Format) -> str:
    """Return an evaluation as a table to be read, or pasted into a paper."""
    return {"table": _table, "latex": _latex, "csv": _csv}[form](evaluation)


def _quantities(evaluation: Evaluation) -> list[tuple[str, str, float | None]]:
    """Return (name, symbol, number) of everything measured."""
    gaps = [
        (f"Nash gap of agent {agent}", rf"$\mathrm{{gap}}_{{{agent}}}$", gap)
        for agent, gap in enumerate(evaluation.nash_gap_per_agent)
    ]
    values = [
        (f"value from state {state}", rf"$V({state})$", float(value))
        for state, value in enumerate(evaluation.value_per_state)
    ]
    return [
        ("value", r"$V(\mu)$", evaluation.value),
        ("optimal value", r"$V^*(\mu)$", evaluation.optimal_value),
        ("optimality gap", r"$V^* - V$", evaluation.optimality_gap),
        ("Nash gap", r"$\max_i \mathrm{gap}_i$", evaluation.nash_gap),
        *gaps,
        ("objective", r"$L_\lambda$", evaluation.objective),
        ("gradient norm", r"$\|\nabla L_\lambda\|_2$", evaluation.gradient_norm),
        ("largest gradient entry", r"$\|\nabla L_\lambda\|_\infty$", evaluation.gradient_max),
        ("mismatch coefficient M", r"$M$", evaluation.mismatch),
        *values,
    ]


def _table(evaluation: Evaluation) -> str:
    rows = [(name, _number(number)) for name, _, number in _quantities(evaluation)]
    width = max(len(name) for name, _ in rows)
    lines = [f"  {name:<{width}}  {number}" for name, number in rows]
    table = [("", *_HEADS), *(_row(bound) for bound in evaluation.bounds)]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines.append("")
    lines += [
        "  " + "  ".join(f"{cell:<{size}}" for cell, size in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
    notes = _notes(evaluation)
    lines += ["", *(f"  {note}" for note in notes)] if notes else []
    return "\n".join(lines)


_HEADS = ("form", "norm", "gradient", "threshold", "met", "bound", "measured", "holds")


def _notes(evaluation: Evaluation) -> list[str]:
    """Say once why numbers are missing."""
    reasons = {bound.reason: _NAMES[bound.lemma] for bound in reversed(evaluation.bounds) if bound.reason}
    notes = [f"{lemma}: {reason}" for reason, lemma in reversed(reasons.items())]
    if evaluation.mismatch_reason:
        notes.insert(0, f"M is infinite: {evaluation.mismatch_reason}")
    return notes


def _latex(evaluation: Evaluation) -> str:
    lines = [r"\begin{tabular}{lr}", r"\hline"]
    lines += [rf"{symbol} & {_tex(_number(number))} \\" for _, symbol, number in _quantities(evaluation)]
    lines += [r"\hline", r"\end{tabular}", "", r"\begin{tabular}{lllrrlrrl}", r"\hline"]
    lines += [" & ".join(("", *_HEADS)) + r" \\", r"\hline"]
    for bound in evaluation.bounds:
        lemma, form, _, gradient, threshold, met, limit, measured, holds = _row(bound)
        cells = [lemma, form, _TEX_NORMS[bound.norm], _tex(gradient), _tex(threshold), met, _tex(limit)]
        lines.append(" & ".join([*cells, _tex(measured), holds]) + r" \\")
    lines += [r"\hline", r"\end{tabular}"]
    return "\n".join([*lines, *(f"% {note}" for note in _notes(evaluation))])


_TEX_NORMS = {"l2": r"$\|\cdot\|_2$", "family": "family", "path": "path", "none": "-"}


_TEX_NO_DIGITS = {"-": "-", "nan": "-", "∞": r"$\infty$", "-∞": r"$-\infty$"}


def _tex(text: str) -> str:
    """Return a number of the plain table in math mode, with a power of ten instead of an e."""
    if text in _TEX_NO_DIGITS:
        return _TEX_NO_DIGITS[text]
    mantissa, e, exponent = text.partition("e")
    return rf"${mantissa} \times 10^{{{int(exponent)}}}$" if e else f"${mantissa}$"


def _csv(evaluation: Evaluation) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("quantity", "number"))
    for name, _, number in _quantities(evaluation):
        writer.writerow((name, "" if number is None else repr(number)))
    for bound in evaluation.bounds:
        for field in ("gradient", "threshold", "met", "bound", "measured", "holds"):
            found = getattr(bound, field)
            writer.writerow((f"{bound.lemma} {bound.form} {field}", "" if found is None else found))
    return buffer.getvalue().rstrip("\n")


def _row(bound: Bound) -> tuple[str, ...]:
    numbers = [_number(bound.gradient), _number(bound.threshold), _truth(bound.met), _at_most(bound.bound)]
    return (
        _NAMES[bound.lemma],
        bound.form,
        bound.norm,
        *numbers,
        _number(bound.measured),
        _truth(bound.holds),
    )


def _number(number: float | None) -> str:
    if number is None:
        return "-"
    return f"{number:.{_DIGITS}g}".replace("inf", "∞")


def _at_most(number: float | None) -> str:
    """Write what is promised, which is no less than it is."""
    return "-" if number is None else rounded_up(number, _DIGITS).replace("inf", "∞")


def _truth(truth: bool | None) -> str:
    return "-" if truth is None else "yes" if truth else "no"
