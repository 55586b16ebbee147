"""What one agent learns with: its theta of the last two rounds, and what follows from them.

Two rounds are kept because a round may have to be replayed: an agent that has already applied update r acts
in the replay of round r with theta_r, exactly as it did the first time.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.estimators import sampled_flow
from bnpg_math.gradient import barrier_gradient, local_flow, local_gradient, update
from bnpg_math.policy import initial_normal, log_policy
from bnpg_math.sampling import cumulative, sample_actions
from bnpg_math.streams import Purpose, uniforms
from protocol.messages import Welcome


def digest(theta: FloatArray) -> str:
    """Return a short digest of a theta: equal bits, equal digest."""
    return hashlib.sha256(np.ascontiguousarray(theta, dtype="<f8").tobytes()).hexdigest()[:32]


def initial_theta(welcome: Welcome) -> FloatArray:
    """Return theta_0 as the experiment says: zeros, keyed normal, or given."""
    shape = (welcome.states, *welcome.parent_actions, welcome.actions)
    if welcome.initial == "given":
        return np.array(welcome.theta, dtype=np.float64)
    if welcome.initial == "normal":
        return initial_normal(welcome.seed, welcome.agent, shape)
    return np.zeros(shape)


@dataclass
class _Round:
    """A theta and the tables that follow from it, made when first needed."""

    theta: FloatArray
    log_policy: FloatArray
    policy: FloatArray
    cumulative: FloatArray | None = None


class Learner:
    """Theta of one agent over the rounds.

    Parameters
    ----------
    welcome : Welcome
        Sizes, seed and step size.
    held : dict from round to (S, *P, A) float
        Thetas from a checkpoint; empty for a newcomer, who starts at theta_0.
    """

    def __init__(self, welcome: Welcome, held: dict[int, FloatArray]) -> None:
        self._welcome = welcome
        self._family = (*welcome.parents, welcome.agent)
        self.shape = (welcome.states, *welcome.parent_actions, welcome.actions)
        self.actions_dtype = np.uint8 if welcome.actions <= 256 else np.uint16
        thetas = held or {0: initial_theta(welcome)}
        for theta in thetas.values():
            if theta.shape != self.shape:
                raise ValueError(f"theta must have shape {self.shape}, got {theta.shape}")
        self._rounds = {round_: _tables(theta) for round_, theta in thetas.items()}

    @property
    def held(self) -> tuple[int, ...]:
        """Rounds whose theta is at hand, ascending."""
        return tuple(sorted(self._rounds))

    @property
    def latest(self) -> int:
        """Number of updates applied: theta_latest is the newest."""
        return max(self._rounds)

    def theta(self, round_: int) -> FloatArray:
        """Return theta_round."""
        return self._rounds[round_].theta

    def log_policy(self, round_: int) -> FloatArray:
        """Return the log conditional probability table of theta_round."""
        return self._rounds[round_].log_policy

    def rewind(self, round_: int) -> None:
        """Go back to theta_round, unless only the update of that very round is ahead of it.

        That one update is kept: the round is replayed for others, and it must not be applied twice.
        """
        if self.latest > round_ + 1:
            self._rounds = {held: tables for held, tables in self._rounds.items() if held <= round_}

    def act(
        self, round_: int, time: int, lane: int, states: IntArray, parent_actions: "list[IntArray]"
    ) -> IntArray:
        """Draw this agent's actions in the lanes from `lane` on; the same call draws them again."""
        tables = self._rounds[round_]
        if tables.cumulative is None:
            tables.cumulative = cumulative(tables.policy)
        welcome = self._welcome
        drawn = uniforms(welcome.seed, Purpose.ACTIONS, welcome.agent, round_, time, len(states), lane)
        chosen = sample_actions(tables.cumulative, states, parent_actions, drawn)
        actions: IntArray = chosen.astype(self.actions_dtype, copy=False)
        actions.flags.writeable = False
        return actions

    def apply_weights(
        self,
        round_: int,
        states: IntArray,
        parent_actions: "list[IntArray]",
        actions: IntArray,
        weights: FloatArray,
    ) -> FloatArray:
        """Apply update (3) from the sampled signal and what this agent saw; return theta_{round+1}."""
        return self._apply(round_, sampled_flow(states, parent_actions, actions, weights, self.shape))

    def apply_flow(self, round_: int, flow: FloatArray) -> FloatArray:
        """Apply update (3) from the shared tensor W; return theta_{round+1}."""
        return self._apply(round_, local_flow(flow, self._family))

    def _apply(self, round_: int, m: FloatArray) -> FloatArray:
        if round_ != self.latest:
            raise AssertionError(f"update {round_} after {self.latest} updates")
        now = self._rounds[round_]
        gradient = local_gradient(m, now.policy) + barrier_gradient(now.policy, self._welcome.regularization)
        theta = update(now.theta, gradient, self._welcome.learning_rate)
        if not np.isfinite(theta).all():
            raise FloatingPointError(f"theta overflows in round {round_}: choose a smaller learning rate")
        theta.flags.writeable = False
        self._rounds = {round_: now, round_ + 1: _tables(theta)}
        return theta


def _tables(theta: FloatArray) -> _Round:
    log_pi = log_policy(theta)
    log_pi.flags.writeable = False
    return _Round(theta, log_pi, np.exp(log_pi))
