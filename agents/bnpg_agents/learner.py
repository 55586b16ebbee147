"""What one agent learns with: its policy of the last two rounds, and the optimiser's memory beside it.

Two rounds are kept because a round may have to be replayed: an agent that has already applied update r acts
in the replay of round r with theta_r, exactly as it did the first time.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from bnpg_protocol.wire.errors import OrderViolation
from bnpg_protocol.wire.messages import FlowBroadcast, Welcome

from bnpg_agents.actor_update import UPDATES, ActorUpdate
from bnpg_agents.limits import Limits, choosable, counted, played
from bnpg_agents.local_policy import MakePolicy, local_policy
from bnpg_agents.snapshot import Snapshot
from bnpg_agents.steps import TURNED, sampled_optimiser, sampled_schedule
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.named import Arrays, frozen
from bnpg_math.chance.prefetch import PrefetchedUniforms
from bnpg_math.chance.streams import Purpose
from bnpg_math.learning.gradient import local_flow
from bnpg_math.learning.natural import part_of
from bnpg_math.learning.optimiser import Nesterov, Optimiser, PlainAscent, Retreat
from bnpg_math.learning.schedule import scheduled
from bnpg_math.policies.interface import Policy, Seen
from bnpg_math.policies.kinds import is_differentiable, is_direct, is_tabular, is_tabulated
from bnpg_math.policies.tabular import TabularSoftmax


class _Round(NamedTuple):
    """What the agent holds of a round, and the policy that follows from it."""

    snapshot: Snapshot
    policy: Policy


class Learner:
    """The policy of one agent over the rounds.

    Parameters
    ----------
    welcome : Welcome
        Sizes, seed and step size.
    checkpoint : dict from round to Snapshot
        What was stored; empty for a newcomer, who starts at theta_0.
    make : callable
        Returns the policy at theta_0.

    Raises
    ------
    OrderViolation
        If the Welcome contradicts itself.
    PolicyError
        If what is stored belongs to another policy.
    """

    def __init__(
        self, welcome: Welcome, checkpoint: Mapping[int, Snapshot], make: MakePolicy = local_policy
    ) -> None:
        self._learning_rate = welcome.learning_rate
        self._optimiser = sampled_optimiser(welcome)
        self._schedule, self._total = sampled_schedule(welcome), welcome.rounds
        self._family = (*welcome.parents, welcome.agent)
        if len(welcome.parents) != len(welcome.parent_actions) or len(set(self._family)) != len(self._family):
            raise OrderViolation(
                f"the Welcome names parents {welcome.parents} with {welcome.parent_actions} actions"
            )
        if welcome.update not in UPDATES:
            raise OrderViolation(
                f"the Welcome asks for the update {welcome.update!r:.40}, expected {', '.join(UPDATES)}"
            )
        self._welcome = welcome
        self._narrow: np.dtype[Any] = np.dtype(np.uint8 if welcome.actions <= 256 else np.uint16)
        first = self._first = make(welcome)
        if self.has_critic and not is_differentiable(first):
            raise OrderViolation(f"the update {welcome.update} is of networks, got policy {welcome.policy}")
        self._turned = TURNED.get(welcome.optimizer)
        if self._turned is not None and not isinstance(first, TabularSoftmax):
            raise OrderViolation(
                f"the Welcome asks for {welcome.optimizer} steps, which are of tables, "
                f"got policy {welcome.policy!r:.40}"
            )
        self._rounds = {
            round_: _Round(snapshot, first.at(snapshot.theta)) for round_, snapshot in checkpoint.items()
        } or {0: _Round(Snapshot(first.theta), first)}
        own = range(welcome.agent, welcome.agent + 1)
        self._uniforms = PrefetchedUniforms(welcome.seed, Purpose.ACTIONS, own)

    @property
    def has_critic(self) -> bool:
        """Whether sampled signals are advantages that a critic has estimated."""
        return self._welcome.update != "gradient"

    @property
    def shows_table(self) -> bool:
        """Whether the policy has a table that it can show."""
        return is_tabulated(self._first)

    @property
    def held(self) -> tuple[int, ...]:
        """Rounds whose theta is at hand, ascending."""
        return tuple(sorted(self._rounds))

    @property
    def latest(self) -> int:
        """Number of updates applied: theta_latest is the newest."""
        return max(self._rounds)

    def snapshot(self, round_: int) -> Snapshot:
        """Return what is held of a round."""
        return self._at(round_).snapshot

    def table(self, round_: int) -> FloatArray:
        """Return the conditional table of theta_round as it is shown: its logarithm, or itself if direct.

        Raises
        ------
        OrderViolation
            If theta_round is not held, or the policy has no table.
        """
        policy = self._at(round_).policy
        if not is_tabulated(policy):
            raise OrderViolation(f"a table is asked for, but a {type(policy).__name__} has none")
        return policy.table if is_direct(policy) else policy.log_table

    def _at(self, round_: int) -> _Round:
        if round_ not in self._rounds:
            held = ", ".join(map(str, self.held))
            raise OrderViolation(f"theta of round {round_} is asked for, but only {held} are held")
        return self._rounds[round_]

    def rewind(self, round_: int) -> None:
        """Go back to theta_round, unless only the update of that very round is ahead of it.

        That one update is kept: the round is replayed for others, and it must not be applied twice.
        """
        if round_ == 0 and 0 not in self._rounds:
            # Somebody's state was lost and the run begins again: theta_0 follows from the Welcome.
            self._rounds = {0: _Round(Snapshot(self._first.theta), self._first)}
        elif self.latest > round_ + 1:
            self._rounds = {held: snapshot for held, snapshot in self._rounds.items() if held <= round_}

    def act(
        self,
        round_: int,
        time: int,
        lane: int,
        seen: Seen,
        parent_actions: "list[IntArray]",
        limits: Limits | None = None,
    ) -> IntArray:
        """Draw this agent's actions in the lanes from `lane` on; the same call draws them again."""
        drawn = self._uniforms.take(round_, time, lane, len(seen))[0]
        policy = self._rounds[round_].policy
        if limits is None:
            chosen = policy.draw(seen, parent_actions, drawn)
        else:
            chosen = played(policy.draw(seen, parent_actions, drawn, choosable(limits)), limits)
        actions: IntArray = chosen if chosen.dtype == self._narrow else chosen.astype(self._narrow)
        actions.setflags(write=False)
        return actions

    def prepare(self) -> None:
        """Draw the random numbers of the next turn, which depend on nothing that is awaited."""
        self._uniforms.draw()

    def apply_weights(
        self,
        round_: int,
        seen: Seen,
        parent_actions: "list[IntArray]",
        actions: IntArray,
        weights: FloatArray,
        limits: Limits | None = None,
    ) -> Snapshot:
        """Apply update (3) from the sampled signal and what this agent saw; return what is to be stored."""
        policy = self._rounds[round_].policy
        if limits is None:
            gradient = policy.gradient(seen, parent_actions, actions, weights)
        else:
            own, legal = counted(weights, limits), choosable(limits)
            gradient = policy.gradient(seen, parent_actions, actions, own, legal)
        if self._turned is not None:
            assert isinstance(policy, TabularSoftmax), "checked when this was made"
            gradient = self._turned(policy, gradient, seen, parent_actions, actions)
        eta = scheduled(self._learning_rate, self._schedule, round_, self._total)
        return self._step(round_, gradient, self._optimiser, eta)

    def begin_update(
        self,
        round_: int,
        seen: Seen,
        parent_actions: "list[IntArray]",
        actions: IntArray,
        advantages: FloatArray,
        limits: Limits | None = None,
    ) -> ActorUpdate:
        """Begin an update of several passes from the critic's advantages; `end_update` takes it over."""
        now = self._rounds[round_]
        assert is_differentiable(now.policy), "checked when this was made"
        return ActorUpdate(
            self._welcome,
            round_,
            now.policy,
            now.snapshot,
            seen,
            parent_actions,
            actions,
            advantages,
            limits,
        )

    def end_update(self, update: ActorUpdate) -> Snapshot:
        """Take over what an update came to; return what is to be stored."""
        return self._take_over(update.round, update.snapshot)

    def apply_flow(self, signal: FlowBroadcast) -> Snapshot:
        """Apply update (3), or what the signal says instead, from what everybody is sent.

        Returns
        -------
        Snapshot
            What is to be stored of round + 1.

        Raises
        ------
        OrderViolation
            If the signal's tensors do not fit this agent, or each other.
        FloatingPointError
            If theta overflows.
        """
        policy, shape = self._rounds[signal.round].policy, signal.flow.shape
        if not is_tabular(policy):
            raise OrderViolation(f"a {type(policy).__name__} cannot follow the signal of an exact round")
        expected = self.table(signal.round).shape
        if signal.occupancy.size and signal.occupancy.shape != shape:
            raise OrderViolation(
                f"the signal of round {signal.round} has a flow of shape {shape} and "
                f"an occupancy of shape {signal.occupancy.shape}"
            )
        eta = signal.step_size or self._learning_rate
        if is_direct(policy):
            if signal.occupancy.size:
                raise OrderViolation(
                    f"the signal of round {signal.round} has an occupancy, and the policy is direct"
                )
            direction = policy.ascent(self._own_part(signal, signal.flow))
            return self._step(signal.round, direction, _optimiser(signal), eta)
        if signal.occupancy.size:
            flow, occupancy = (self._own_part(signal, table) for table in (signal.flow, signal.occupancy))
            return self._step(signal.round, policy.ascent(flow, occupancy), _optimiser(signal), eta)
        if (
            len(shape) <= 1 + max(self._family)
            or (shape[0], *(shape[1 + member] for member in self._family)) != expected
        ):
            raise OrderViolation(
                f"the flow of round {signal.round} has shape {shape}, expected {expected[0]} states "
                f"and {expected[1:]} actions of agents {self._family}"
            )
        direction = policy.ascent(local_flow(signal.flow, self._family))
        return self._step(signal.round, direction, _optimiser(signal), eta)

    def _own_part(self, signal: FlowBroadcast, table: FloatArray) -> FloatArray:
        """Return this agent's columns of a table that is side by side with the others'."""
        agent, shape = self._family[-1], self.table(signal.round).shape
        if agent >= len(signal.starts):
            raise OrderViolation(
                f"the signal of round {signal.round} says where {len(signal.starts)} agents begin"
            )
        try:
            return part_of(table, signal.starts[agent], shape)
        except ValueError as error:
            raise OrderViolation(f"the signal of round {signal.round}: {error}") from None

    def _step(self, round_: int, direction: Arrays, optimiser: Optimiser, eta: float) -> Snapshot:
        now = self._rounds[round_]
        theta, state = optimiser.step(now.snapshot.theta, direction, now.snapshot.state, eta)
        if not all(np.isfinite(array).all() for array in theta.values()):
            raise FloatingPointError(f"theta overflows in round {round_}: choose a smaller learning rate")
        if is_direct(now.policy):
            theta = now.policy.nearest(theta)
        return self._take_over(round_, Snapshot(frozen(theta), frozen(state)))

    def _take_over(self, round_: int, snapshot: Snapshot) -> Snapshot:
        if round_ != self.latest:
            raise AssertionError(f"update {round_} after {self.latest} updates")
        now = self._rounds[round_]
        self._rounds = {round_: now, round_ + 1: _Round(snapshot, now.policy.at(snapshot.theta))}
        return snapshot


def _optimiser(signal: FlowBroadcast) -> Optimiser:
    """Return what takes the step of an exact round."""
    if signal.retreat:
        return Retreat()
    return Nesterov(signal.momentum) if signal.momentum else PlainAscent()
