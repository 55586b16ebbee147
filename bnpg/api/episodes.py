"""Episodes of a trained team as a Python program sees them, and a notebook shows them."""

from collections.abc import Iterator
from dataclasses import dataclass

from bnpg.showing.document import paid
from bnpg.showing.episode import ShownTurn
from bnpg_math.html_table import columns


@dataclass(frozen=True)
class Episode:
    """What happened in one episode, turn by turn.

    Parameters
    ----------
    turns : tuple of Turn
        Each has `time`, `seen`, `actions`, `reward` and `over`.
    """

    turns: tuple[ShownTurn, ...]

    def __len__(self) -> int:
        return len(self.turns)

    def __iter__(self) -> Iterator[ShownTurn]:
        return iter(self.turns)

    @property
    def total(self) -> float:
        """The sum of its rewards, not discounted."""
        return paid(self.turns)

    @property
    def over(self) -> bool:
        """Whether it came to its end, instead of being cut."""
        return self.turns[-1].over

    def __repr__(self) -> str:
        end = "" if self.over else ", cut"
        return f"<Episode of {len(self)} turn{'s' * (len(self) != 1)}{end}: {self.total:.6g}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        first = self.turns[0]
        shared = all(turn.shared for turn in self.turns)
        sights = ["state"] if shared else [f"agent {agent} sees" for agent in range(len(first.seen))]
        head = ["step", *sights, *(f"{agent} does" for agent in range(len(first.actions))), "reward"]
        rows = [
            [
                turn.time,
                *(" ".join(f"{number:.3g}" for number in seen) for seen in turn.seen[: len(sights)]),
                *turn.actions,
                turn.reward,
            ]
            for turn in self.turns
        ]
        return columns(repr(self)[1:-1], head, rows)
