"""One claim, checked in one place."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """What came of checking a claim.

    Parameters
    ----------
    claim : str
        Such as `Lemma 2`.
    form : str
        `printed`, `corrected` or `tight`; `exact` where the paper has only one.
    where : str
        Game, DAG and seed.
    measured, limit : float
        The claim is that `measured` is at most `limit`.
    holds : bool
    expected : bool
        False for the counterexamples: there a printed claim is shown not to hold.
    """

    claim: str
    form: str
    where: str
    measured: float
    limit: float
    holds: bool
    expected: bool = True

    @property
    def violation(self) -> bool:
        """Whether a corrected or tight claim fails, or a counterexample shows nothing."""
        if not self.expected:
            return self.holds
        return not self.holds and self.form != "printed"

    def as_json(self) -> dict[str, Any]:
        """Return the finding as plain values."""
        return asdict(self) | {"violation": self.violation}


def at_most(claim: str, form: str, where: str, measured: float, limit: float, slack: float = 1e-9) -> Finding:
    """Return the finding that something measured is at most its limit, up to rounding."""
    return Finding(claim, form, where, measured, limit, measured <= limit + slack * max(1.0, abs(limit)))
