"""Step sizes that depend on how far a run has come, and on nothing that happens in it."""

from typing import Literal

Schedule = Literal["constant", "linear"]


def scheduled(eta: float, form: Schedule, round: int, rounds: int) -> float:  # noqa: A002
    """Return the step size of a round.

    Parameters
    ----------
    eta : float
        Of the first round, > 0.
    form : {'constant', 'linear'}
        Linear: eta (1 - round / rounds), which is eta / rounds in the last one.
    round : int
        In 0..rounds-1.
    rounds : int
        How many the run has.

    Returns
    -------
    float
        In (0, eta].

    Raises
    ------
    ValueError
        If there is no such round.

    Examples
    --------
    >>> [scheduled(1.0, "linear", round, 4) for round in range(4)]
    [1.0, 0.75, 0.5, 0.25]
    """
    if not 0 <= round < rounds:
        raise ValueError(f"round must be in 0..{rounds - 1}, got {round}")
    return eta if form == "constant" else eta * ((rounds - round) / rounds)
