"""Which kind of local policy the agents of a run have: one text, taken apart in one place."""

from dataclasses import dataclass

from bnpg_files.quoting import quoted
from bnpg_math.errors import PolicyError
from bnpg_math.networks.spec import parse_hidden

TABLE, DIRECT, NETWORK = "table", "direct", "mlp"


@dataclass(frozen=True)
class PolicySpec:
    """A kind of local policy.

    Parameters
    ----------
    form : {'table', 'direct', 'mlp'}
        A softmax over a table of logits, eq. (1) of the paper; a table of probabilities that is its own
        theta (`bnpg_math.policies.direct`); or a network (`bnpg_math.policies.network`).
    hidden : tuple of int
        Widths of the hidden layers of a network.
    """

    form: str
    hidden: tuple[int, ...] = ()

    @property
    def is_direct(self) -> bool:
        """Whether theta is the table of probabilities itself, which may hold zeros."""
        return self.form == DIRECT

    @property
    def is_network(self) -> bool:
        """Whether theta is the parameters of a network."""
        return self.form == NETWORK


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
    >>> parse_policy("mlp:64,64").hidden
    (64, 64)
    """
    form = text.strip()
    if form.startswith(NETWORK):
        return PolicySpec(NETWORK, parse_hidden(form))
    if form not in (TABLE, DIRECT):
        raise PolicyError(
            f"policy must be {TABLE}, {DIRECT} or a network such as mlp:64,64, got {quoted(text)}"
        )
    return PolicySpec(form)
