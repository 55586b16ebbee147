"""What agents gained on their own, in JSON and in words."""

from collections.abc import Sequence
from typing import Any

from bnpg.best_response.training import Response


def as_json(found: Sequence[Response]) -> dict[str, Any]:
    """Return the responses as plain values."""
    agents = []
    for one in found:
        gain = {"gain": one.gain.value, "low": one.gain.low, "high": one.gain.high}
        exact = {} if one.exact is None else {"exact_gap": one.exact}
        agents.append({"agent": one.agent, **gain, "nash_gap_at_least": one.bound, **exact})
    return {"rounds": found[0].rounds, "episodes": found[0].episodes, "agents": agents}


def as_text(found: Sequence[Response], game: str) -> str:
    """Return them for people."""
    exact = any(one.exact is not None for one in found)
    lines = [
        f"{game}: each agent trained alone for {found[0].rounds} rounds, measured over {found[0].episodes} "
        "episodes",
        "",
        "  agent   what the team gains, 95 % interval   Nash gap at least" + "   exactly" * exact,
    ]
    for one in found:
        gain = f"{one.gain.value:.4g} ({one.gain.low:.4g} to {one.gain.high:.4g})"
        known = f"   {one.exact:.4g}" if one.exact is not None else ""
        lines.append(f"  {one.agent:>5}   {gain:<34}   {one.bound:<17.4g}{known}")
    return "\n".join([*lines, "", "A better response may exist that was not found: this is no certificate."])
