"""The weight lambda of the log barrier: one for the whole team, or one for each agent.

With one number all agents have the paper's barrier. Theorem D1 gives each agent a lambda of its own
(`bnpg_math.theory.weighted_barrier`); everything an agent computes with lambda stays as it is.
"""

from typing import TypeAlias

Regularization: TypeAlias = float | tuple[float, ...]
"""lambda >= 0 of everybody, or N of them in agent order."""


def per_agent(regularization: Regularization, agents: int) -> tuple[float, ...]:
    """What every agent takes for lambda.

    Parameters
    ----------
    regularization : float or tuple of N float
        lambda.
    agents : int
        N.

    Returns
    -------
    tuple of N float

    Raises
    ------
    ValueError
        If there is not one for each agent.
    """
    if not isinstance(regularization, tuple):
        return (regularization,) * agents
    if len(regularization) != agents:
        raise ValueError(f"expected {agents} weights of the barrier, one an agent, got {len(regularization)}")
    return regularization
