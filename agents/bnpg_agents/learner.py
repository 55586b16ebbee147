"""What one agent learns with: its theta of the last two rounds, and what follows from them.

With momentum there belongs to a theta the point that it was extrapolated from, its *origin*.

Two rounds are kept because a round may have to be replayed: an agent that has already applied update r acts
in the replay of round r with theta_r, exactly as it did the first time.
"""

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from bnpg_protocol.wire.errors import OrderViolation
from bnpg_protocol.wire.messages import FlowBroadcast, Welcome

from bnpg_agents.held import Held, held, origin_of, theta_of
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.chance.ahead import UniformsAhead
from bnpg_math.chance.sampling import cumulative, sample_actions
from bnpg_math.chance.streams import Purpose
from bnpg_math.learning.estimators import sampled_flow
from bnpg_math.learning.gradient import barrier_gradient, local_flow, local_gradient, update
from bnpg_math.learning.momentum import extrapolate
from bnpg_math.learning.natural import natural_direction
from bnpg_math.policies.softmax import initial_normal, log_policy

LARGEST_THETA = 1 << 27
"""Numbers a theta may have: a message holds at most 1 GiB."""


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
    origin: FloatArray
    cumulative: FloatArray | None = None


class Learner:
    """Theta of one agent over the rounds.

    Parameters
    ----------
    welcome : Welcome
        Sizes, seed and step size.
    checkpoint : dict from round to array
        What was stored, see `bnpg_agents.held`; empty for a newcomer, who starts at theta_0.

    Raises
    ------
    OrderViolation
        If the Welcome contradicts itself, or what is stored does not have its shape.
    """

    def __init__(self, welcome: Welcome, checkpoint: dict[int, Held]) -> None:
        self._welcome = welcome
        self._family = (*welcome.parents, welcome.agent)
        if len(welcome.parents) != len(welcome.parent_actions) or len(set(self._family)) != len(self._family):
            raise OrderViolation(
                f"the Welcome names parents {welcome.parents} with {welcome.parent_actions} actions"
            )
        self.shape = (welcome.states, *welcome.parent_actions, welcome.actions)
        self._narrow: np.dtype[Any] = np.dtype(np.uint8 if welcome.actions <= 256 else np.uint16)
        if not 0 < math.prod(self.shape) <= LARGEST_THETA:
            raise OrderViolation(
                f"the Welcome asks for a theta of shape {self.shape}: expected 1 to {LARGEST_THETA} numbers"
            )
        known = checkpoint or {0: initial_theta(welcome)}
        for one in known.values():
            if one.shape != self.shape:
                raise OrderViolation(f"theta must have shape {self.shape}, got {one.shape}")
        self._rounds = {round_: _tables(theta_of(one), origin_of(one)) for round_, one in known.items()}
        own = range(welcome.agent, welcome.agent + 1)
        self._uniforms = UniformsAhead(welcome.seed, Purpose.ACTIONS, own)

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
        return self._at(round_).theta

    def log_policy(self, round_: int) -> FloatArray:
        """Return the log conditional probability table of theta_round."""
        return self._at(round_).log_policy

    def _at(self, round_: int) -> _Round:
        if round_ not in self._rounds:
            held = ", ".join(map(str, self.held))
            raise OrderViolation(f"theta of round {round_} is asked for, but only {held} are held")
        return self._rounds[round_]

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
        drawn = self._uniforms.take(round_, time, lane, len(states))[0]
        chosen = sample_actions(tables.cumulative, states, parent_actions, drawn)
        actions: IntArray = chosen if chosen.dtype == self._narrow else chosen.astype(self._narrow)
        actions.setflags(write=False)
        return actions

    def prepare(self) -> None:
        """Draw the random numbers of the next turn, which depend on nothing that is awaited."""
        self._uniforms.draw()

    def apply_weights(
        self,
        round_: int,
        states: IntArray,
        parent_actions: "list[IntArray]",
        actions: IntArray,
        weights: FloatArray,
    ) -> Held:
        """Apply update (3) from the sampled signal and what this agent saw; return what is to be stored."""
        return self._apply(round_, sampled_flow(states, parent_actions, actions, weights, self.shape))

    def apply_flow(self, signal: FlowBroadcast) -> Held:
        """Apply update (3), or what the signal says instead, from the shared tensor W.

        Returns
        -------
        (S, *P, A) array
            What is to be stored of round + 1, see `bnpg_agents.held`.

        Raises
        ------
        OrderViolation
            If the signal's tensors do not fit this agent, or each other.
        FloatingPointError
            If theta overflows.
        """
        shape, family = signal.flow.shape, self._family
        if len(shape) <= 1 + max(family) or (shape[0], *(shape[1 + one] for one in family)) != self.shape:
            raise OrderViolation(
                f"the flow of round {signal.round} has shape {shape}, expected {self._welcome.states} states "
                f"and {self.shape[1:]} actions of agents {family}"
            )
        return self._apply(signal.round, local_flow(signal.flow, self._family), signal)

    def _apply(self, round_: int, m: FloatArray, signal: FlowBroadcast | None = None) -> Held:
        if round_ != self.latest:
            raise AssertionError(f"update {round_} after {self.latest} updates")
        now = self._rounds[round_]
        if signal is not None and signal.retreat:
            theta = reached = now.origin
        else:
            eta = (signal.step_size if signal is not None else 0.0) or self._welcome.learning_rate
            theta = reached = update(now.theta, self._direction(m, now.policy, signal), eta)
            if signal is not None and signal.momentum:
                theta = extrapolate(reached, now.origin, signal.momentum)
        if not np.isfinite(theta).all():
            raise FloatingPointError(f"theta overflows in round {round_}: choose a smaller learning rate")
        theta.flags.writeable = reached.flags.writeable = False
        self._rounds = {round_: now, round_ + 1: _tables(theta, reached)}
        return held(theta, None if theta is reached else reached)

    def _direction(self, m: FloatArray, pi: FloatArray, signal: FlowBroadcast | None) -> FloatArray:
        """Return what is added to theta, up to the step size."""
        regularization = self._welcome.regularization
        gradient = local_gradient(m, pi) + barrier_gradient(pi, regularization)
        if signal is None or not signal.occupancy.size:
            return gradient
        if signal.occupancy.shape != signal.flow.shape:
            raise OrderViolation(
                f"the signal of round {signal.round} has a flow of shape {signal.flow.shape} and "
                f"an occupancy of shape {signal.occupancy.shape}"
            )
        return natural_direction(gradient, pi, local_flow(signal.occupancy, self._family), regularization)


def _tables(theta: FloatArray, origin: FloatArray | None = None) -> _Round:
    log_pi = log_policy(theta)
    log_pi.flags.writeable = False
    return _Round(theta, log_pi, np.exp(log_pi), theta if origin is None else origin)
