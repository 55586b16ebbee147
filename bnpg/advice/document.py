"""The advice in JSON and in words."""

from typing import Any

from bnpg.advice.advice import Advice
from bnpg.advice.assessment import STEP, Assessment
from bnpg.certified.words import rounded_up
from bnpg_math.arrays.not_finite import finite_fields


def edges_text(assessment: Assessment) -> str:
    """Return the edges as `--dag` takes them."""
    return ",".join(f"{parent}-{child}" for parent, child in assessment.dag.edges) or "empty"


def as_json(advice: Advice) -> dict[str, Any]:
    """Return the advice as plain values; numbers are finite or null with a reason."""
    subject = advice.subject
    return {
        "game": advice.game.name,
        **_fields(subject),
        "unmarried": [list(pair) for pair in subject.unmarried],
        "remainder": {
            "reward": advice.additivity.reward,
            "transition": advice.additivity.transition,
            "tolerance": advice.additivity.tolerance,
        },
        "together": [list(members) for members in advice.together],
        "measured_at": advice.at,
        "epsilon": advice.epsilon,
        "step_size": STEP,
        "edge_values": [
            {"parent": edge[0], "child": edge[1], "present": present, "value": value}
            for present, values in ((True, advice.present), (False, advice.missing))
            for edge, value in values
        ],
        "budget": advice.budget,
        **({"budget_reason": "none was asked for: --budget"} if advice.budget is None else {}),
        "proposals": [
            {"name": proposal.name, **_fields(proposal.assessment)} for proposal in advice.proposals
        ],
    }


def as_text(advice: Advice) -> str:
    """Return the advice for people."""
    subject, lines = advice.subject, [f"{advice.game.name}, DAG {edges_text(advice.subject)}", ""]
    lines += [f"  {line}" for line in findings(advice)]
    values = [*advice.present, *advice.missing]
    if values:
        lines += ["", "  value of an edge: by how much the price falls with it"]
        for (parent, child), value in values:
            there = "" if (parent, child) in subject.dag.edges else "   (missing)"
            lines.append(f"    {parent} -> {child}  {value:.4g}{there}")
    lines += ["", f"  proposals{'' if advice.budget is None else f' of at most {advice.budget} edges'}"]
    for proposal in advice.proposals:
        found = proposal.assessment
        exact = "exact" if found.additive else f"price {price_text(found.xi)}"
        lines.append(f"    --dag {edges_text(found)}  ({proposal.name})")
        lines.append(
            f"        {exact}, {found.parameters} parameters, {found.messages} messages a step, "
            f"{found.hops} hops, tau/lambda {found.threshold:.3g}"
        )
        if found.rounds_natural is not None:
            lines.append(f"        {rounds_text(found)}")
    return "\n".join(lines)


def findings(advice: Advice) -> list[str]:
    """Return what is so about the DAG that was asked about, in sentences."""
    subject, found = advice.subject, []
    if subject.perfect:
        found.append("The DAG is perfect: the parents of every agent see each other.")
    else:
        pairs = ", ".join(f"{first} and {other}" for first, other in subject.unmarried)
        found.append(f"The DAG is not perfect: {pairs} have a common child, but no edge.")
    together = ", ".join("-".join(map(str, members)) for members in advice.together) or "none"
    found.append(f"Agents that act together in this game: {together}.")
    if subject.additive:
        found.append("The game is additive over the DAG (up to rounding).")
    else:
        which = " and ".join(
            f"{share:.3g} of the {name}"
            for name, share in (
                ("reward", advice.additivity.reward),
                ("transitions", advice.additivity.transition),
            )
            if share > advice.additivity.tolerance
        )
        found.append(f"The game is not additive over the DAG: {which} are left over.")
    where = f"at the {advice.at} policy" if advice.at in ("uniform", "optimal") else f"at {advice.at}"
    bound = f"; at any policy at most {rounded_up(subject.xi_any)}" if advice.one_policy else ""
    where = where if advice.one_policy else "at every policy"
    found.append(f"Price xi of the missing edges {where}: {price_text(subject.xi)}{bound}.")
    if subject.not_excluded is not None and not subject.additive:
        found.append(
            "Under the weighted barrier, near-stationary points may be "
            f"{rounded_up(subject.not_excluded)} from the optimum for it, beyond what the barrier costs."
        )
    if subject.rounds_natural is not None:
        found.append(f"For a gap of {rounded_up(advice.epsilon)}: {rounds_text(subject)}.")
    elif subject.reason:
        found.append(f"Rounds: {subject.reason}.")
    return found


def price_text(xi: float) -> str:
    """Return a price as the upper bound it is."""
    return f"at most {rounded_up(xi)}" if xi > 0.0 else "0"


def rounds_text(assessment: Assessment) -> str:
    """Return the rounds that the theorems promise, where they do."""
    assert assessment.rounds_natural is not None
    natural = f"{rounded_up(assessment.rounds_natural, 3)} natural updates with step {STEP:g} (Theorem B)"
    if assessment.rounds_weighted is None:
        return f"{natural}; {assessment.reason}"
    weighted = rounded_up(assessment.rounds_weighted, 3)
    return f"{natural}, or {weighted} of (3) with the weighted barrier (Theorem D1)"


def _fields(assessment: Assessment) -> dict[str, Any]:
    return finite_fields(
        {
            "dag": edges_text(assessment),
            "edges": [list(edge) for edge in assessment.dag.edges],
            "order": list(assessment.dag.order),
            "perfect": assessment.perfect,
            "additive": assessment.additive,
            "xi": assessment.xi,
            "xi_method": assessment.xi_method,
            "xi_any_policy": assessment.xi_any,
            "gap_not_excluded": assessment.not_excluded,
            "parameters": assessment.parameters,
            "messages_per_step": assessment.messages,
            "hops": assessment.hops,
            "height": assessment.height,
            "threshold": assessment.threshold,
            "rounds_natural": assessment.rounds_natural,
            "rounds_weighted": assessment.rounds_weighted,
            "reason": assessment.reason,
        }
    )
