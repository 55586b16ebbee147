"""What a sampled round comes to: its episodes' lengths before it, its signal and its returns after it."""

from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.lanes import Episodes, width_of
from bnpg_coordinator.worlds.interface import World
from bnpg_math.arrays import FloatArray
from bnpg_math.learning.estimators import (
    ReturnStatistics,
    episode_lengths,
    return_statistics,
    signal_weights,
    visit_times,
)


class SampledRound:
    """One round of sampled learning, with its turns in `episodes`.

    Parameters
    ----------
    world : World
        What is played.
    experiment : Experiment
        Lanes, parts, horizon, baseline and seed.
    round_ : int
    """

    def __init__(self, world: World, experiment: Experiment, round_: int) -> None:
        self._world = world
        self._experiment = experiment
        address = (experiment.horizon, world.gamma, experiment.lanes, experiment.seed, round_)
        self._visits = visit_times(*address)
        play = world.begin(experiment.seed, round_, experiment.lanes)
        self.episodes = Episodes(play, episode_lengths(*address, experiment.sure_steps), width_of(experiment))

    def signal(self) -> tuple[FloatArray, ReturnStatistics]:
        """Return the signal of the finished round and how its episodes went.

        Returns
        -------
        weights : (sum n_t,) float
            A weight for every lane and time, time by time, read-only.
        statistics : ReturnStatistics
            Mean and standard error of the returns.
        """
        experiment, gamma, rewards = self._experiment, self._world.gamma, self.episodes.rewards()
        weights = signal_weights(
            rewards,
            self.episodes.strata(),
            gamma,
            experiment.horizon,
            experiment.baseline,
            self._world.strata,
            self._visits,
            experiment.sure_steps,
        )
        weights.flags.writeable = False
        statistics = return_statistics(
            rewards, gamma, experiment.horizon, self._visits, experiment.sure_steps
        )
        return weights, statistics
