"""How an agent steps in sampled rounds: the optimiser and the schedule that its Welcome names."""

from bnpg_protocol.wire.errors import OrderViolation
from bnpg_protocol.wire.messages import Welcome

from bnpg_math.learning.adam import Adam
from bnpg_math.learning.optimiser import Optimiser, PlainAscent
from bnpg_math.learning.schedule import Schedule
from bnpg_math.policies.tabular import TabularSoftmax

TURNED = {"natural": TabularSoftmax.natural, "normalised": TabularSoftmax.normalised}
"""By optimizer: what makes another direction of the gradient of a table before the step."""


def sampled_optimiser(welcome: Welcome) -> Optimiser:
    """Return what takes the steps of sampled rounds.

    Raises
    ------
    OrderViolation
        If the Welcome names none, or an Adam without an epsilon.
    """
    if welcome.optimizer == "adam" and welcome.epsilon > 0.0:
        return Adam(epsilon=welcome.epsilon)
    if welcome.optimizer not in ("ascent", *TURNED):
        raise OrderViolation(
            f"the Welcome asks for the optimizer {welcome.optimizer!r:.40} with an epsilon of "
            f"{welcome.epsilon}, expected ascent, {', '.join(TURNED)}, or adam with one above 0"
        )
    return PlainAscent()


def sampled_schedule(welcome: Welcome) -> Schedule:
    """Return how the step size of sampled rounds goes.

    Raises
    ------
    OrderViolation
        If the Welcome names no schedule.
    """
    if welcome.schedule == "linear":
        return "linear"
    if welcome.schedule != "constant":
        raise OrderViolation(
            f"the Welcome asks for the schedule {welcome.schedule!r:.40}, expected constant or linear"
        )
    return "constant"
