"""Which kind of local policy the agents of a run have: one text, taken apart in one place."""

from dataclasses import dataclass

from bnpg_math.errors import PolicyError

TABLE, DIRECT = "table", "direct"


@dataclass(frozen=True)
class PolicySpec:
    """A kind of local policy.

    Parameters
    ----------
    form : {'table', 'direct'}
        A softmax over a table of logits, eq. (1) of the paper; or a table of probabilities that is its own
        theta (`bnpg_math.policies.direct`).
    """

    form: str

    @property
    def is_direct(self) -> bool:
        """Whether theta is the table of probabilities itself, which may hold zeros."""
        return self.form == DIRECT


def parse_policy(text: str) -> PolicySpec:
    """Return the kind of policy that a text names.

    Raises
    ------
    PolicyError
        If it names none.

    Examples
    --------
    >>> parse_policy("direct").is_direct
    True
    """
    form = text.strip()
    if form not in (TABLE, DIRECT):
        raise PolicyError(f"policy must be {TABLE} or {DIRECT}, got {text!r:.80}")
    return PolicySpec(form)
