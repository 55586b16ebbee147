"""Whether something of your own is a policy, or a world: run these before you train with it.

Each raises :class:`NotConforming` with one line that says what is expected and what came; they need no test
framework. What they check is what the promise rests on: that a result depends on the experiment and its seed
and on nothing else.

>>> import numpy as np
>>> from bnpg.conformance import check_policy
>>> from bnpg_math.policies.tabular import TabularSoftmax
>>> check_policy(TabularSoftmax(np.zeros((3, 2, 4))), states=3, parents=(2,), actions=4)
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from bnpg_coordinator.worlds.interface import Box, End, EpisodicPlay, Seen, World, arrays_of
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.named import Arrays
from bnpg_math.chance.streams import BLOCK
from bnpg_math.policies.interface import Differentiable, Policy
from bnpg_math.policies.kinds import is_differentiable, is_tabulated

LANES = 3 * BLOCK + 1
"""Lanes that are tried: several blocks of the random stream, and one that is not full."""
STEPS = 6
NUDGE = 1e-6
"""How far a parameter is moved for a finite difference."""


class NotConforming(AssertionError):
    """Something is no policy, or no world, as the rest of the program relies on it."""


def _expect(holds: bool, why: str) -> None:
    if not holds:
        raise NotConforming(why)


def check_policy(
    policy: Policy,
    states: int,
    parents: Sequence[int],
    actions: int,
    seen: NDArray[Any] | None = None,
    seed: int = 0,
) -> None:
    """Check that a local policy is one to learn with.

    Draws are in range, depend on nothing but their arguments, and are in every lane those of that lane alone;
    nothing that is asked of the policy changes it; the gradient is linear in the weights, and where the
    policy shows a table, or log probabilities to be followed through (`Differentiable`), it is theirs, by
    finite differences.

    Parameters
    ----------
    policy : Policy
    states : int
        S: how many states there are; ignored where `seen` is given.
    parents : sequence of int
        How many actions each parent has, ascending by parent.
    actions : int
        How many the agent has.
    seen : (K, ..) array, optional
        What an agent may see, if that is not states 0..S-1.
    seed : int
        Of the arguments that are tried.

    Raises
    ------
    NotConforming
    """
    rng = np.random.default_rng(seed)
    of = np.arange(states, dtype=np.uint8) if seen is None else seen
    looked = of[rng.integers(len(of), size=LANES)]
    heard: list[IntArray] = [rng.integers(many, size=LANES).astype(np.uint8) for many in parents]
    numbers = rng.random(LANES)
    before = {name: array.copy() for name, array in policy.theta.items()}
    _expect(all(not array.flags.writeable for array in policy.theta.values()), "theta must be read-only")

    drawn = policy.draw(looked, heard, numbers)
    _expect(drawn.shape == (LANES,), f"draw must return shape ({LANES},), got {drawn.shape}")
    _expect(drawn.dtype.kind in "iu", f"draw must return integers, got {drawn.dtype}")
    _expect(
        bool(((drawn >= 0) & (drawn < actions)).all()),
        f"draw must return actions in 0..{actions - 1}, got {drawn.min()} to {drawn.max()}",
    )
    again = policy.at(policy.theta).draw(looked, heard, numbers)
    _expect(np.array_equal(drawn, again), "draw must return the same for the same theta and arguments")
    for lane in range(0, LANES, BLOCK):
        part = slice(lane, lane + BLOCK)
        alone = policy.draw(looked[part], [actions[part] for actions in heard], numbers[part])
        _expect(np.array_equal(alone, drawn[part]), f"lanes {lane}.. must draw alone what they draw together")

    weights = rng.normal(size=(2, LANES))
    first, second, both, none = (
        policy.gradient(looked, heard, drawn, weight)
        for weight in (weights[0], weights[1], weights[0] + weights[1], np.zeros(LANES))
    )
    for name, array in before.items():
        shapes = [gradient[name].shape for gradient in (first, both) if name in gradient]
        _expect(
            shapes == [array.shape] * 2, f"the gradient must have {name} of shape {array.shape}, got {shapes}"
        )
        linear = first[name] + second[name] - none[name]
        _expect(_close(both[name], linear), f"the gradient in {name} must be linear in the weights")
    same = set(before) == set(policy.theta) and all(
        np.array_equal(array, policy.theta[name]) for name, array in before.items()
    )
    _expect(same, "nothing that is asked of a policy may change its theta")
    if is_tabulated(policy) and seen is None:
        shape = (states, *parents, actions)
        table = policy.log_table
        _expect(table.shape == shape, f"log_table must have shape {shape}, got {table.shape}")
        _expect(_close(np.exp(table).sum(axis=-1), np.ones(shape[:-1])), "rows of the table must sum to 1")
        slope = {name: first[name] - none[name] for name in before}
        places = (looked, *heard, drawn)
        _check_slope(policy, lambda moved: float(weights[0] @ policy.at(moved).log_table[places]), slope)
    if is_differentiable(policy):
        _check_differentiable(policy, looked, heard, drawn, actions, weights[0])


def _check_differentiable(
    policy: Differentiable,
    seen: NDArray[Any],
    parents: Sequence[IntArray],
    drawn: IntArray,
    actions: int,
    weights: FloatArray,
) -> None:
    """Check log probabilities, all together and where some actions are not allowed, and what goes back."""
    taken = (np.arange(len(seen)), drawn.astype(np.intp))
    log_pi = policy.log_pi(seen, parents)
    expected = (len(seen), actions)
    _expect(log_pi.shape == expected, f"log_pi must have shape {expected}, got {log_pi.shape}")
    _expect(_close(np.exp(log_pi).sum(axis=1), np.ones(len(seen))), "rows of log_pi must sum to 1")
    legal = np.ones(expected, dtype=np.uint8)
    legal[::2, 1:] = 0
    masked = policy.log_pi(seen, parents, legal)
    _expect(bool(np.isneginf(masked[legal == 0]).all()), "log_pi must be -inf for what may not be taken")
    _expect(
        _close(np.exp(masked).sum(axis=1), np.ones(len(seen))), "rows of log_pi must sum to 1 with a mask"
    )

    def pull(part: slice, found: FloatArray) -> FloatArray:
        logits = -weights[part, None] * np.exp(found)
        logits[np.arange(len(found)), taken[1][part]] += weights[part]
        return logits

    slope = policy.backpropagate(seen, parents, None, pull)
    _expect(set(slope) == set(policy.theta), f"backpropagate must return {', '.join(sorted(policy.theta))}")
    _check_slope(policy, lambda moved: float(weights @ policy.at(moved).log_pi(seen, parents)[taken]), slope)


def _check_slope(policy: Policy, height: Callable[[Arrays], float], slope: Arrays) -> None:
    """Compare a gradient with central differences of a function of theta, at a few parameters each."""

    def at(name: str, index: tuple[int, ...], by: float) -> float:
        moved = {key: array.copy() for key, array in policy.theta.items()}
        moved[name][index] += by
        return height(moved)

    for name, array in policy.theta.items():
        for flat in np.linspace(0, array.size - 1, min(array.size, 12)).astype(int):
            index = tuple(int(coordinate) for coordinate in np.unravel_index(flat, array.shape))
            expected = (at(name, index, NUDGE) - at(name, index, -NUDGE)) / (2 * NUDGE)
            got = float(slope[name][index])
            _expect(
                abs(got - expected) <= 1e-5 * max(1.0, abs(expected)),
                f"the gradient in {name}[{', '.join(map(str, index))}] must be {expected:.6g}, got {got:.6g}",
            )


def _close(first: FloatArray, other: FloatArray) -> bool:
    scale = max(1.0, float(np.abs(other).max(initial=0.0)))
    return bool((np.abs(first - other) <= 1e-9 * scale).all())


def check_world(world: World, seed: int = 0) -> None:
    """Check that a world is one to learn in.

    A round that is replayed, in the same world, after other rounds, or with its lanes in parts, is the same
    to the bit; what is seen lies in its space and cannot be written to; masks allow something; rewards are
    finite; every lane has a stratum.

    Parameters
    ----------
    world : World
    seed : int
        Of the rounds that are tried.

    Raises
    ------
    NotConforming
    """
    agents = len(world.actions)
    _expect(
        agents >= 1 and min(world.actions) >= 1, f"actions must be counts, one an agent, got {world.actions}"
    )
    _expect(len(world.spaces) == agents, f"spaces must be {agents}, one an agent, got {len(world.spaces)}")
    episodic = isinstance(world.begin(seed, 0, 1), EpisodicPlay)
    if episodic:
        _expect(0.0 <= world.gamma <= 1.0, f"gamma must be in [0, 1], got {world.gamma}")
    else:
        _expect(0.0 <= world.gamma < 1.0, f"gamma must be in [0, 1), got {world.gamma}")
    _expect(world.strata >= 1, f"strata must be at least 1, got {world.strata}")
    first = _played(world, seed, 5, LANES)
    _played(world, seed, 6, LANES)
    _expect(_same(first, _played(world, seed, 5, LANES)), "a round must be the same when it is replayed")
    _expect(_same(first, _played(world, seed, 5, BLOCK)), "lanes in parts must meet what they meet together")
    other = _played(world, seed + 1, 5, LANES)
    at_first = first[0][: len(first[0]) // STEPS]
    if any((array != array[:1]).any() for array in at_first):
        _expect(not _same(first, other), "another seed must be another round")


_Round = tuple[list[NDArray[Any]], list[FloatArray], list[IntArray]]


def _played(world: World, seed: int, round_: int, width: int) -> _Round:
    """Return what was seen, the rewards and the strata by time, with lanes taken `width` at a time."""
    play = world.begin(seed, round_, LANES)
    first = play.first
    episodic = isinstance(play, EpisodicPlay)
    _expect(
        len(first) == LANES, f"a round of {LANES} lanes must begin with {LANES} things seen, got {len(first)}"
    )
    turns = {lane: first.part(lane, min(lane + width, LANES)) for lane in range(0, LANES, width)}
    seen: list[NDArray[Any]] = []
    for time in range(STEPS):
        together = zip(*(arrays_of(view, world.actions) for view in turns.values()), strict=True)
        seen += map(np.concatenate, together)
        for view in turns.values():
            _check_seen(world, view)
        # Lanes of a simulator live through the whole round; those of a game end, the last ones first.
        alive = max(0, LANES - (time + 1) * LANES // STEPS)
        if episodic:
            alive = LANES if time + 1 < STEPS else 0
        following = {}
        for lane, view in turns.items():
            actions = _actions(world, view, lane, time)
            living = min(len(view), max(0, alive - lane))
            then = play.step(time, lane, view, actions, living)
            _expect(
                (then is None) == (living == 0), "a step must return what is seen exactly if a lane lives on"
            )
            if then is not None:
                _expect(len(then) == living, f"{living} lanes live on, got {len(then)} things seen")
                following[lane] = then
        turns = following
    rewards, strata = play.rewards(), play.strata()
    _expect(all(np.isfinite(reward).all() for reward in rewards), "rewards must be finite")
    _expect(
        all(bool(((stratum >= 0) & (stratum < world.strata)).all()) for stratum in strata),
        f"strata must be in 0..{world.strata - 1}",
    )
    sizes = [len(reward) for reward in rewards]
    _expect(
        sizes == [len(stratum) for stratum in strata],
        "every lane must have a reward and a stratum in every turn",
    )
    if isinstance(play, EpisodicPlay):
        ends = play.ends()
        _expect(sizes == [len(end) for end in ends], "every lane must have an end, or none, in every turn")
        _expect(all(bool((end <= End.TRUNCATED).all()) for end in ends), "ends must be 0, 1 or 2")
    return seen, [np.concatenate(rewards)], [np.concatenate(strata)]


def _actions(world: World, seen: Seen, lane: int, time: int) -> list[IntArray]:
    """Return some actions that may be taken."""
    lanes = lane + np.arange(len(seen))
    actions: list[IntArray] = []
    for agent, many in enumerate(world.actions):
        wished = (lanes + agent + time) % many
        if seen.legal:
            # The first one from there on that is allowed.
            order = (wished[:, None] + np.arange(many)) % many
            allowed = np.take_along_axis(seen.legal[agent], order, axis=1)
            wished = np.take_along_axis(order, allowed.argmax(axis=1)[:, None], axis=1)[:, 0]
        actions.append(wished.astype(np.uint16))
    return actions


def _check_seen(world: World, seen: Seen) -> None:
    of_all = seen.of if isinstance(seen.of, tuple) else (seen.of,)
    arrays: list[NDArray[Any]] = [*of_all, *seen.legal, *seen.alive]
    _expect(all(not array.flags.writeable for array in arrays), "what is seen must be read-only")
    agents = len(world.actions)
    if isinstance(seen.of, tuple):
        _expect(len(seen.of) == agents, f"{agents} agents must see something each, got {len(seen.of)}")
    for agent, space in enumerate(world.spaces):
        of = seen.by(agent)
        if isinstance(space, Box):
            expected = (len(seen), space.width)
            _expect(of.shape == expected, f"agent {agent} must see shape {expected}, got {of.shape}")
            _expect(of.dtype == np.float32, f"agent {agent} must see float32, got {of.dtype}")
            _expect(bool(np.isfinite(of).all()), f"what agent {agent} sees must be finite")
        else:
            _expect(
                bool(((of >= 0) & (of < space.values)).all()),
                f"agent {agent} must see states in 0..{space.values - 1}, got {of.min()} to {of.max()}",
            )
    if seen.legal:
        shapes = [mask.shape for mask in seen.legal]
        expected_shapes = [(len(seen), many) for many in world.actions]
        _expect(shapes == expected_shapes, f"masks must have shapes {expected_shapes}, got {shapes}")
        _expect(all(bool(mask.any(axis=1).all()) for mask in seen.legal), "a mask must allow something")
    if seen.alive:
        alive_shapes = [flags.shape for flags in seen.alive]
        _expect(
            alive_shapes == [(len(seen),)] * agents,
            f"who is alive must be {agents} arrays, got {alive_shapes}",
        )


def _same(first: _Round, other: _Round) -> bool:
    left, right = ([array for arrays in played for array in arrays] for played in (first, other))
    return len(left) == len(right) and all(map(np.array_equal, left, right))
