"""Nesterov momentum in the form in which every gradient is taken at the policy that is played.

An agent holds theta_t, the policy, and x_t, the point it was extrapolated from (Nesterov 1983; Sutskever et
al., ICML 2013)::

    x_{t+1}     = theta_t + eta_t p_t
    theta_{t+1} = x_{t+1} + m_{t+1} (x_{t+1} - x_t)

where p_t is the gradient at theta_t. Row sums of theta are conserved as by (3), since both points have them.
Momentum is built up as k / (k + 3) over the rounds k since it last began. It begins anew (O'Donoghue &
Candes, Found. Comput. Math. 15, 2015) whenever x_{t+1} is not better than x_t, see :func:`pays`: the agents
go back to x_t then, and the next step, a plain one, raises the objective by what it promises. So the
objective of x_t never falls, at least every other round raises it in proportion to the squared gradient, and
the gradient goes to zero as it does without momentum.
"""

from bnpg_math.arrays import FloatArray

PROGRESS = 1e-4
"""Share of the increase promised by the gradient that a round with momentum must keep."""


def pays(reached: float, origin: float, promised: float) -> bool:
    """Whether momentum was worth it.

    Parameters
    ----------
    reached, origin : float
        The objective of x_{t+1} and of x_t.
    promised : float
        eta <g, p> at theta_t, at least 0.

    Returns
    -------
    bool
    """
    return reached >= origin + PROGRESS * promised


def momentum_after(rounds: int) -> float:
    """Return m after so many rounds of momentum, in [0, 1).

    Parameters
    ----------
    rounds : int
        k >= 0.

    Returns
    -------
    float
        k / (k + 3).
    """
    return rounds / (rounds + 3.0)


def extrapolate(reached: FloatArray, origin: FloatArray, momentum: float) -> FloatArray:
    """Return theta_{t+1} from x_{t+1} and x_t.

    Parameters
    ----------
    reached, origin : (S, *P, A) float
        x_{t+1} and x_t.
    momentum : float
        m_{t+1} in [0, 1).

    Returns
    -------
    (S, *P, A) float
    """
    return reached + momentum * (reached - origin)
