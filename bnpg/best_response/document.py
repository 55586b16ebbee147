"""What agents gained on their own, in JSON and in words."""

from collections.abc import Sequence
from typing import Any

from bnpg.best_response.training import Response
from bnpg.best_response.unplayed import sentences
from bnpg.certified.words import rounded_down


def as_json(found: Sequence[Response]) -> dict[str, Any]:
    """Return the responses as plain values."""
    agents = []
    for response in found:
        gain = {"gain": response.gain.value, "low": response.gain.low, "high": response.gain.high}
        exact = {} if response.exact is None else {"exact_gap": response.exact}
        bound = {"nash_gap_at_least": response.bound}
        of = {"nash_gap_at_least_reason": response.reason} if response.reason else {}
        agents.append({"agent": response.agent, **gain, **bound, **of, **exact})
    return {"rounds": found[0].rounds, "episodes": found[0].episodes, "agents": agents}


def as_text(found: Sequence[Response], game: str) -> str:
    """Return them for people."""
    exact = any(response.exact is not None for response in found)
    lines = [
        f"{game}: each agent trained alone for {found[0].rounds} rounds, measured over {found[0].episodes} "
        "episodes",
        "",
        "  agent   what the team gains, 95 % interval   Nash gap at least" + "   by the model" * exact,
    ]
    for response in found:
        gain = f"{response.gain.value:.4g} ({response.gain.low:.4g} to {response.gain.high:.4g})"
        known = f"   {response.exact:.4g}" if response.exact is not None else ""
        lines.append(f"  {response.agent:>5}   {gain:<34}   {rounded_down(response.bound):<17}{known}")
    lines += ["", *sentences(response.reason for response in found)]
    return "\n".join([*lines, "A better response may exist that was not found: this is no certificate."])
