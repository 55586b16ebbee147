"""An update of `a2c` or `ppo`: pass after pass through one round, so that an agent can breathe in between.

It is a function of the policy that played, of what the optimiser remembers, and of the round: whoever is
killed in the midst of it begins it again, and comes to the same bits.
"""

import math
from collections.abc import Sequence

import numpy as np
from bnpg_protocol.wire.errors import OrderViolation
from bnpg_protocol.wire.messages import Welcome

from bnpg_agents.limits import Limits, choosable
from bnpg_agents.snapshot import Snapshot
from bnpg_agents.steps import sampled_schedule
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.named import Arrays, frozen
from bnpg_math.learning.actor import ActorSettings, ActorSigns, actor_pass, played_rows
from bnpg_math.learning.adam import Adam
from bnpg_math.learning.schedule import scheduled
from bnpg_math.policies.interface import Differentiable, Seen

SIGNS = "signs"
"""Name under which a snapshot holds how the update went that led to it: KL, share clipped, entropy."""
UPDATES = ("gradient", "a2c", "ppo")


class ActorUpdate:
    """One update under way.

    Parameters
    ----------
    welcome : Welcome
        Which update it is, with its settings.
    round_ : int
    policy : Differentiable
        The one that played.
    before : Snapshot
        What is held of the round.
    seen, parents, actions
        Of all steps and lanes, laid end to end.
    advantages : (K,) float
        The shared signal.
    limits : Limits, optional
    """

    def __init__(
        self,
        welcome: Welcome,
        round_: int,
        policy: Differentiable,
        before: Snapshot,
        seen: Seen,
        parents: Sequence[IntArray],
        actions: IntArray,
        advantages: FloatArray,
        limits: Limits | None,
    ) -> None:
        self.round = round_
        self._settings = settings_of(welcome)
        self._eta = scheduled(welcome.learning_rate, sampled_schedule(welcome), round_, welcome.rounds)
        self._address = (welcome.seed, welcome.agent, round_)
        self._policy = policy
        self._theta: Arrays = before.theta
        self._memory: Arrays = {name: array for name, array in before.state.items() if name != SIGNS}
        legal, alive = (None, None) if limits is None else (choosable(limits), limits.alive != 0)
        self._rows = played_rows(policy, seen, parents, actions, advantages, legal, alive)
        self._signs: list[ActorSigns] = []
        self.passes = welcome.epochs if welcome.update == "ppo" else 1
        """How many there are; on-policy gradients are for one pass."""

    @property
    def done(self) -> int:
        """How many passes are made."""
        return len(self._signs)

    def advance(self) -> bool:
        """Make one more pass; return whether it was the last one.

        Raises
        ------
        FloatingPointError
            If theta overflows.
        """
        policy = self._policy.at(self._theta)
        self._theta, self._memory, signs = actor_pass(
            policy, self._memory, self._rows, self._settings, Adam(), self._eta, self._address, self.done
        )
        if not all(np.isfinite(array).all() for array in self._theta.values()):
            raise FloatingPointError(f"theta overflows in round {self.round}: choose a smaller learning rate")
        self._signs.append(signs)
        return self.done == self.passes

    @property
    def snapshot(self) -> Snapshot:
        """What is to be stored of round + 1."""
        signs = np.array(self._signs).mean(axis=0)
        return Snapshot(frozen(dict(self._theta)), frozen({**self._memory, SIGNS: signs}))


def settings_of(welcome: Welcome) -> ActorSettings:
    """Return how the passes go, as the Welcome says.

    Raises
    ------
    OrderViolation
        If it names no such update.
    """
    if welcome.update not in ("a2c", "ppo"):
        raise OrderViolation(f"the Welcome asks for the update {welcome.update!r:.40}, expected a2c or ppo")
    return ActorSettings(
        surrogate="a2c" if welcome.update == "a2c" else "ppo",
        clip=welcome.clip,
        entropy=welcome.entropy,
        barrier=welcome.regularization,
        parts=max(1, welcome.minibatches),
        longest=welcome.longest or math.inf,
    )
