"""Environments of others as teams: one interface, that of PettingZoo's parallel environments."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from bnpg_coordinator.environments.foreign import Unusable
from bnpg_math.errors import InputError


class Team(Protocol):
    """The part of a parallel environment that is used."""

    possible_agents: Sequence[Any]
    agents: Sequence[Any]

    # It may have a `state_space` and a `state()` too.

    def observation_space(self, agent: Any) -> Any:
        """Return what an agent sees, a space of Gymnasium."""

    def action_space(self, agent: Any) -> Any:
        """Return what an agent does, likewise."""

    def reset(self, seed: int | None = None) -> tuple[Mapping[Any, Any], Mapping[Any, Any]]:
        """Return observations and infos of all living agents."""

    def step(self, actions: Mapping[Any, Any]) -> tuple[Mapping[Any, Any], ...]:
        """Return observations, rewards, terminations, truncations and infos."""


Make = Callable[[], Any]

RESET = "(observations, infos)"
STEP = "(observations, rewards, terminations, truncations, infos)"
"""What an environment returns."""


def reset_parts(answer: Any) -> tuple[Any, Any]:
    """Take apart what `reset` returned.

    Raises
    ------
    Unusable
    """
    try:
        observed, infos = answer
    except (TypeError, ValueError):
        raise Unusable(f"reset() must return {RESET}, got {answer!r:.80}") from None
    return observed, infos


def step_parts(answer: Any) -> tuple[Any, Any, Any, Any, Any]:
    """Take apart what `step` returned.

    Raises
    ------
    Unusable
    """
    try:
        observed, rewards, terminated, truncated, infos = answer
    except (TypeError, ValueError):
        raise Unusable(f"step() must return {STEP}, got {answer!r:.80}") from None
    return observed, rewards, terminated, truncated, infos


class TupleTeam:
    """A Gymnasium environment whose actions and observations are tuples, one an agent.

    One of a single agent is a team of one.
    """

    def __init__(self, env: Any) -> None:
        self._env = env
        actions, observations = env.action_space, env.observation_space
        many = type(actions).__name__ == "Tuple"
        self._many = many
        self._actions = tuple(actions.spaces) if many else (actions,)
        if many and type(observations).__name__ == "Tuple" and len(observations) == len(self._actions):
            self._observations = tuple(observations.spaces)
        elif many:
            raise InputError(
                f"a team of {len(self._actions)} must observe a Tuple of as many spaces, "
                f"got {observations!s:.100}"
            )
        else:
            self._observations = (observations,)
        self.possible_agents: Sequence[Any] = list(range(len(self._actions)))
        self.agents: Sequence[Any] = []
        self._nobody: Mapping[int, bool] = MappingProxyType(dict.fromkeys(self.possible_agents, False))
        """Whose part is over in nearly every step."""

    def observation_space(self, agent: int) -> Any:
        """Return what an agent sees."""
        return self._observations[agent]

    def action_space(self, agent: int) -> Any:
        """Return what an agent does."""
        return self._actions[agent]

    def reset(self, seed: int | None = None) -> tuple[dict[int, Any], dict[int, Any]]:
        """Begin an episode."""
        observed, info = reset_parts(self._env.reset(seed=seed))
        self.agents = list(self.possible_agents)
        return self._each(observed), self._infos(info)

    def step(self, actions: Mapping[int, Any]) -> tuple[Mapping[int, Any], ...]:
        """Take a step."""
        chosen = tuple(actions.get(agent, 0) for agent in self.possible_agents)
        answer = self._env.step(chosen if self._many else chosen[0])
        observed, reward, terminated, truncated, info = step_parts(answer)
        over = self._flags(terminated), self._flags(truncated)
        if not (over[0] is over[1] is self._nobody):
            self.agents = [agent for agent in self.agents if not (over[0][agent] or over[1][agent])]
        try:
            rewards = dict(enumerate(reward))
        except TypeError:  # one number for all
            rewards = dict.fromkeys(self.possible_agents, reward)
        return self._each(observed), rewards, *over, self._infos(info)

    def render(self) -> Any:
        """Return how the environment draws itself."""
        return self._env.render()

    def close(self) -> None:
        """Let the environment go."""
        self._env.close()

    def _each(self, observed: Any) -> dict[int, Any]:
        return dict(enumerate(observed)) if self._many else {0: observed}

    def _flags(self, flag: Any) -> Mapping[int, bool]:
        if flag is False:
            return self._nobody
        try:
            return {agent: bool(value) for agent, value in enumerate(flag)}
        except TypeError:
            return dict.fromkeys(self.possible_agents, bool(flag))

    def _infos(self, info: Any) -> dict[int, Any]:
        if not isinstance(info, Mapping) or "action_mask" not in info:
            return {}
        masks = info["action_mask"] if self._many else [info["action_mask"]]
        return {agent: {"action_mask": mask} for agent, mask in enumerate(masks)}


def team(env: Any, what: str) -> Team:
    """Return an environment as a team.

    Parameters
    ----------
    env : object
        A parallel or turn-based environment of PettingZoo, or one of Gymnasium.
    what : str
        What it is called in messages.

    Raises
    ------
    InputError
        If it is neither.
    """
    if hasattr(env, "agent_iter") and hasattr(env, "possible_agents"):
        from pettingzoo.utils import conversions

        if env.metadata.get("is_parallelizable", False):
            parallel: Team = conversions.aec_to_parallel(env)
        else:
            parallel = conversions.turn_based_aec_to_parallel(env)
        return parallel
    if hasattr(env, "possible_agents") and callable(getattr(env, "observation_space", None)):
        given: Team = env
        return given
    if hasattr(env, "action_space") and hasattr(env, "observation_space") and hasattr(env, "step"):
        if callable(env.action_space) and not hasattr(env.action_space, "sample"):
            raise InputError(f"{what} has spaces by agent and no possible_agents, as PettingZoo asks for")
        return TupleTeam(env)
    raise InputError(
        f"{what} must give a PettingZoo environment, a Gymnasium environment or a World, "
        f"got {type(env).__name__}"
    )
