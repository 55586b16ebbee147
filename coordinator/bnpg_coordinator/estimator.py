"""What a sampled round comes to: its episodes' lengths before it, its signal and its returns after it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.lanes import Episodes, width_of
from bnpg_coordinator.worlds.interface import End, EpisodicPlay, World
from bnpg_math.arrays import FloatArray
from bnpg_math.learning.episodes import EpisodeBaseline, episode_statistics, episode_weights
from bnpg_math.learning.estimators import (
    episode_lengths,
    return_statistics,
    signal_weights,
    visit_times,
)

NO_EPISODE = "no episode ended within the round"


class SampledRound:
    """One round of sampled learning, with its turns in `episodes`.

    In a world with episodes of its own, all lanes make as many steps as the experiment says.

    Parameters
    ----------
    world : World
        What is played.
    experiment : Experiment
        Lanes, parts, horizon or steps, baseline and seed.
    round_ : int
    """

    def __init__(self, world: World, experiment: Experiment, round_: int) -> None:
        self._world = world
        self._experiment = experiment
        play = world.begin(experiment.seed, round_, experiment.lanes)
        self._own = play if isinstance(play, EpisodicPlay) else None
        if self._own is not None:
            lengths = np.full(experiment.lanes, experiment.steps)
        else:
            address = (experiment.horizon, world.gamma, experiment.lanes, experiment.seed, round_)
            self._visits = visit_times(*address)
            lengths = episode_lengths(*address, experiment.sure_steps)
        self.episodes = Episodes(play, lengths, width_of(experiment))

    @property
    def dies_by_chance(self) -> bool:
        """Whether a lane that does not live on is over, as where it ends with probability 1 - gamma."""
        return self._own is None and self._experiment.horizon == "geometric"

    def signal(self) -> tuple[FloatArray, dict[str, Any]]:
        """Return the signal of the finished round and how its episodes went.

        Returns
        -------
        weights : (sum n_t,) float
            A weight for every lane and time, time by time, read-only.
        statistics : dict
            From :meth:`returns`.
        """
        rewards = self.episodes.rewards()
        weights = self._of_games(rewards) if self._own is None else self._of_episodes(self._own, rewards)
        weights.flags.writeable = False
        return weights, self._returns(rewards)

    def returns(self) -> dict[str, Any]:
        """Return `return_mean` and `return_stderr` of the finished round, as its line has them."""
        return self._returns(self.episodes.rewards())

    def _returns(self, rewards: list[FloatArray]) -> dict[str, Any]:
        if self._own is not None:
            found = episode_statistics(np.stack(rewards), self._over(self._own))
            if found is None:
                return {
                    "return_mean": None,
                    "return_mean_reason": NO_EPISODE,
                    "return_stderr": None,
                    "return_stderr_reason": NO_EPISODE,
                }
            return {"return_mean": found.mean, "return_stderr": found.stderr}
        experiment = self._experiment
        statistics = return_statistics(
            rewards,
            self._world.gamma,
            experiment.horizon,
            self._visits,
            experiment.sure_steps,
        )
        return {"return_mean": statistics.mean, "return_stderr": statistics.stderr}

    def _of_games(self, rewards: list[FloatArray]) -> FloatArray:
        experiment = self._experiment
        return signal_weights(
            rewards,
            self.episodes.strata(),
            self._world.gamma,
            experiment.horizon,
            experiment.subtracted,
            self._world.strata,
            self._visits,
            experiment.sure_steps,
        )

    def _of_episodes(self, play: EpisodicPlay, received: list[FloatArray]) -> FloatArray:
        rewards, strata = np.stack(received), np.stack(self.episodes.strata())
        baseline: EpisodeBaseline = "none" if self._experiment.subtracted == "none" else "cross-fit"
        return episode_weights(
            rewards, self._over(play), self._world.gamma, baseline, strata, self._world.strata
        )

    def _over(self, play: EpisodicPlay) -> NDArray[np.bool_]:
        over: NDArray[np.bool_] = np.stack(self.episodes.by_time(play.ends())) != End.GOES_ON
        return over
