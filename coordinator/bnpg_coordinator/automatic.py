"""Step sizes in units of the returns: what `learning-rate auto` stands for, as plain numbers.

A gradient is a return for a logit, and an update adds eta times it to logits: so an eta that suits rewards up
to 1 is a hundred times too large where they go up to 100. The unit is the range of the returns,
R/(1-gamma), which a known model says; without one it is 1. Adam divides gradients by their own size, so
its eta is a number of logits, whatever is played; only its epsilon is in the unit.
"""

import math

import msgspec

from bnpg_coordinator.experiment import Experiment
from bnpg_math.errors import InputError
from bnpg_math.games.game import Game

NORMALISED_STEP = 0.2
"""Logits by which a normalised step moves the largest one."""
ADAM_STEP = 0.2
"""Logits that Adam moves a parameter in a round at the most, about: e^0.2 of the odds."""
NETWORK_STEP = 0.01
"""The same of the parameters of a network: logits are sums of many of them."""
ACTOR_STEP = 0.003
"""The same in `a2c` and `ppo`, which make several steps a round."""
ADAM_EPSILON = 1e-7
"""Of Adam, in units of the returns' range."""
EXACT_STEP = 4.0
"""Logits of an exact update where the occupancy and the advantage are as large as they can be."""

NATURAL_STEP = 8.0
"""Logits of a natural step where the advantage is as large as the range of the returns."""


def returns_range(game: Game | None) -> float:
    """Return R/(1-gamma), how far apart returns can be; 1 where that is unknown, 0 or no number.

    Parameters
    ----------
    game : Game or None
        The model of what is played, where there is one.
    """
    if game is None:
        return 1.0
    unit = game.reward_range / (1.0 - game.gamma)
    return unit if math.isfinite(unit) and unit > 0.0 else 1.0


def settled(experiment: Experiment, game: Game | None) -> Experiment:
    """Return an experiment with a number for `learning-rate auto`, and what it chooses beside that.

    That is the optimizer, normalised steps for tables in games and Adam elsewhere, and in games what makes
    returns less noisy: temporal differences for tables, centred means for networks. In exact mode nothing is
    known that suits every policy on the way: there the coordinator chooses the size of every step, and the
    number is what it tries first.

    Parameters
    ----------
    experiment : Experiment
    game : Game or None
        The model of what is played, where there is one.

    Returns
    -------
    Experiment
        The same where the learning rate was chosen by whoever asked for it.

    Raises
    ------
    InputError
        If natural steps are asked for where the range of the returns is not known.
    """
    if experiment.learning_rate != "auto":
        return experiment
    if experiment.has_critic:  # which is the baseline
        return msgspec.structs.replace(experiment, learning_rate=ACTOR_STEP, optimizer="adam")
    tables_in_games = experiment.mode == "sampled" and game is not None and not experiment.kind.is_network
    if experiment.baseline == "auto" and experiment.mode == "sampled" and game is not None:
        by_values = tables_in_games and experiment.horizon != "geometric-visit"
        experiment = msgspec.structs.replace(experiment, baseline="td" if by_values else "centred")
    if experiment.optimizer == "normalised" or (experiment.optimizer == "auto" and tables_in_games):
        return msgspec.structs.replace(experiment, learning_rate=NORMALISED_STEP, optimizer="normalised")
    if experiment.by_adam:
        step = NETWORK_STEP if experiment.kind.is_network else ADAM_STEP
        return msgspec.structs.replace(experiment, learning_rate=step, optimizer="adam")
    if experiment.mode == "exact" and experiment.step_size == "fixed" and not experiment.kind.is_direct:
        experiment = msgspec.structs.replace(experiment, step_size="backtracking")
    rate = EXACT_STEP / returns_range(game)
    if experiment.optimizer == "natural":
        if game is None:
            raise InputError(
                "optimizer natural needs a number for learning-rate in a simulator: the range of its returns "
                "is not known"
            )
        # Entries are advantages times the mean length of an episode, 1/(1-gamma).
        rate = NATURAL_STEP * (1.0 - game.gamma) / returns_range(game)
    return msgspec.structs.replace(experiment, learning_rate=min(max(rate, 1e-300), 1e300))


def adam_epsilon(game: Game | None) -> float:
    """Return epsilon of Adam for sampled gradients: far below any that is worth following."""
    return ADAM_EPSILON * returns_range(game)
