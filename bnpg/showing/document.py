"""Episodes in JSON and in words."""

import math
from collections.abc import Sequence
from typing import Any

from bnpg.showing.episode import ShownTurn

MOST_NUMBERS = 6
"""Of what an agent sees, in words."""


def as_json(episodes: Sequence[Sequence[ShownTurn]]) -> dict[str, Any]:
    """Return episodes as plain values."""
    return {
        "episodes": [
            {
                "return": paid(turns),
                "over": turns[-1].over,
                "turns": [
                    {
                        "step": turn.time,
                        "seen": list(turn.seen),
                        "actions": list(turn.actions),
                        "reward": turn.reward,
                    }
                    for turn in turns
                ],
            }
            for turns in episodes
        ]
    }


def as_text(name: str, episodes: Sequence[Sequence[ShownTurn]]) -> str:
    """Return episodes as tables."""
    lines = [name]
    for number, turns in enumerate(episodes):
        agents = range(len(turns[0].actions))
        head = ["step", *(f"agent {i} sees" for i in agents), *(f"{i} does" for i in agents), "reward"]
        rows = [
            [
                str(turn.time),
                *(_short(seen) for seen in turn.seen),
                *map(str, turn.actions),
                f"{turn.reward:.6g}",
            ]
            for turn in turns
        ]
        if all(turn.shared for turn in turns):
            head = ["step", "state", *head[1 + len(agents) :]]
            rows = [[row[0], row[1], *row[1 + len(agents) :]] for row in rows]
        widths = [max(len(row[k]) for row in [head, *rows]) for k in range(len(head))]
        end = "" if turns[-1].over else f", cut after {len(turns)} steps"
        lines += ["", f"episode {number}: return {paid(turns):.6g}{end}", ""]
        for row in [head, *rows]:
            lines.append("  " + "  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)))
    return "\n".join(lines)


def paid(turns: Sequence[ShownTurn]) -> float:
    """Return the sum of the rewards of an episode."""
    return math.fsum(turn.reward for turn in turns)


def _short(seen: Sequence[float]) -> str:
    text = " ".join(f"{number:.3g}" for number in seen[:MOST_NUMBERS])
    return text + (" .." if len(seen) > MOST_NUMBERS else "")
