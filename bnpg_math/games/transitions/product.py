"""A kernel of a factored state: every component has its own small kernel.

The state is a tuple of components (c_1, .., c_K), numbered in mixed radix with the last component
fastest. Given the current state and the joint action the next components are independent,

    P(s'|s, a) = prod_k p_k(c'_k | some current components, some agents' actions),

so that sums over states and actions factor too. The coordination game with ten agents has ten kernels of
2 x 2 numbers where the tensor would take 8 GB.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from string import ascii_letters
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.cells import cells
from bnpg_math.chance.sampling import InverseCdf, cumulative
from bnpg_math.errors import GameError
from bnpg_math.games.probabilities import distributions, frozen
from bnpg_math.games.transitions.interface import Apply, along_actions, along_chain, repeated

# Neighbouring components are merged up to this many entries: a few contractions with larger kernels run
# at the speed of matrix products, and one uniform then draws several components.
_LARGEST_MERGED = 1 << 10

# einsum names an axis with one letter.
_LABELS = len(ascii_letters)


@dataclass(frozen=True, eq=False)
class Component:
    """How one component of the state moves.

    Parameters
    ----------
    kernel : (*C, *A, size) float
        Distribution of the next value; axes of the current components, then of the agents.
    components : tuple of int
        Which current components matter, ascending.
    agents : tuple of int
        Whose actions matter, ascending.
    """

    kernel: FloatArray
    components: tuple[int, ...] = ()
    agents: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Labelled:
    """A tensor and the name of each of its axes."""

    array: FloatArray
    labels: tuple[int, ...]


class ProductTransition:
    """P as a product of kernels over the components of the state.

    Parameters
    ----------
    sizes : sequence of int
        Number of values of each component; S is their product.
    actions : sequence of int
        (A_1, .., A_N).
    components : sequence of Component
        One a component of the state, in order.

    Raises
    ------
    GameError
        If a kernel does not fit the sizes, or a row of it is no distribution.
    """

    def __init__(self, sizes: Sequence[int], actions: Sequence[int], components: Sequence[Component]) -> None:
        self.sizes = tuple(int(size) for size in sizes)
        self.actions = tuple(int(count) for count in actions)
        self.states = math.prod(self.sizes)
        if not self.sizes or not self.actions or min(*self.sizes, *self.actions) < 1:
            raise GameError(f"sizes {self.sizes} and actions {self.actions} must be at least 1 and not empty")
        if len(components) != len(self.sizes):
            raise GameError(f"expected {len(self.sizes)} components, got {len(components)}")
        if 2 * len(self.sizes) + len(self.actions) > _LABELS:
            raise GameError(
                f"2 components + agents must be at most {_LABELS} in a product of kernels, got "
                f"{2 * len(self.sizes) + len(self.actions)}; more agents are sampled in a bnpg.FactoredWorld"
            )
        checked = [self._checked(number, component) for number, component in enumerate(components)]
        self._components = tuple(component for component, _ in checked)
        self.notices = tuple(notice for _, notice in checked if notice)
        self._blocks, self._block_sizes = self._merge()
        self.draws = len(self._blocks)
        self._factors = self._separate()
        self._transposed = [factor.T for factor in self._factors or ()]

    def _checked(self, number: int, component: Component) -> tuple[Component, str]:
        name = f"kernel of component {number}"
        for what, members, count in (
            ("components", component.components, len(self.sizes)),
            ("agents", component.agents, len(self.actions)),
        ):
            if list(members) != sorted(set(members)) or not all(0 <= m < count for m in members):
                raise GameError(f"{name} must name ascending {what} in 0..{count - 1}, got {members}")
        expected = (
            *(self.sizes[c] for c in component.components),
            *(self.actions[a] for a in component.agents),
            self.sizes[number],
        )
        if component.kernel.shape != expected:
            raise GameError(f"{name} must have shape {expected}, got {component.kernel.shape}")
        kernel, notice = distributions(component.kernel, name, GameError)
        return Component(frozen(kernel), component.components, component.agents), notice

    def _merge(self) -> tuple[list[Component], list[int]]:
        """Join neighbouring components while the joint kernel stays small."""
        blocks, sizes = [self._components[0]], [self.sizes[0]]
        for component, size in zip(self._components[1:], self.sizes[1:], strict=True):
            last = blocks[-1]
            current = tuple(sorted({*last.components, *component.components}))
            agents = tuple(sorted({*last.agents, *component.agents}))
            rows = [self.sizes[c] for c in current] + [self.actions[a] for a in agents]
            if math.prod(rows) * sizes[-1] * size > _LARGEST_MERGED:
                blocks.append(component)
                sizes.append(size)
                continue
            first, second = self._next(0), self._next(1)
            kept = (*current, *(self._agent(a) for a in agents))
            kernel = _einsum(
                _Labelled(last.kernel, (*self._given(last), first)),
                _Labelled(component.kernel, (*self._given(component), second)),
                (*kept, first, second),
            )
            sizes[-1] *= size
            blocks[-1] = Component(frozen(kernel.reshape(*rows, sizes[-1])), current, agents)
        return blocks, sizes

    def _separate(self) -> list[FloatArray] | None:
        """Matrices whose Kronecker product is K[a, s'], if the kernel forgets the current state that way."""
        agents = [agent for block in self._blocks for agent in block.agents]
        if agents != list(range(len(self.actions))) or any(block.components for block in self._blocks):
            return None
        return [block.kernel.reshape(-1, block.kernel.shape[-1]) for block in self._blocks]

    # Labels of the axes: current components, then agents, then blocks of next components.
    def _agent(self, agent: int) -> int:
        return len(self.sizes) + agent

    def _next(self, block: int) -> int:
        return len(self.sizes) + len(self.actions) + block

    def _given(self, component: Component) -> tuple[int, ...]:
        return (*component.components, *(self._agent(agent) for agent in component.agents))

    def expectation(self, value: FloatArray) -> FloatArray:
        """See :meth:`Transition.expectation`; a broadcast view where an axis does not matter."""
        if self._factors is not None:
            return repeated(_kronecker(self._transposed, value[None]).reshape(self.actions), self.states)
        tensor = _Labelled(
            value.reshape(self._block_sizes), tuple(self._next(b) for b in range(len(self._blocks)))
        )
        for number, block in enumerate(self._blocks):
            kernel = _Labelled(block.kernel, (*self._given(block), self._next(number)))
            tensor = _contract(tensor, kernel, {self._next(number)})
        lengths = (*self.sizes, *self.actions)
        present = sorted(tensor.labels)
        array = np.transpose(tensor.array, [tensor.labels.index(label) for label in present])
        shape = [length if label in present else 1 for label, length in enumerate(lengths)]
        joint = (self.states, *self.actions)
        if all(component in present for component in range(len(self.sizes))):
            return np.broadcast_to(array.reshape(self.states, *shape[len(self.sizes) :]), joint)
        if not any(component in present for component in range(len(self.sizes))):
            return np.broadcast_to(array.reshape(1, *shape[len(self.sizes) :]), joint)
        spread = np.broadcast_to(array.reshape(shape), (*self.sizes, *shape[len(self.sizes) :]))
        return np.broadcast_to(spread.reshape(self.states, *shape[len(self.sizes) :]), joint)

    def under(self, pi: FloatArray) -> FloatArray:
        """See :meth:`Transition.under`."""
        if self._factors is not None:
            return _kronecker(self._factors, pi.reshape(self.states, -1))
        current = tuple(range(len(self.sizes)))
        agents = tuple(self._agent(agent) for agent in range(len(self.actions)))
        tensor = _Labelled(pi.reshape(*self.sizes, *self.actions), (*current, *agents))
        for number, block in enumerate(self._blocks):
            later = {label for after in self._blocks[number + 1 :] for label in self._given(after)}
            spent = {label for label in agents if label in tensor.labels and label not in later}
            kernel = _Labelled(block.kernel, (*self._given(block), self._next(number)))
            tensor = _contract(tensor, kernel, spent)
        order = [*current, *(self._next(b) for b in range(len(self._blocks)))]
        chain = np.transpose(tensor.array, [tensor.labels.index(label) for label in order])
        return chain.reshape(self.states, self.states)

    def along(self, pi: FloatArray) -> tuple[Apply, Apply]:
        """See :meth:`Transition.along`."""
        factors = self._factors
        if factors is None:
            return along_chain(self.under(pi))
        return along_actions(
            pi,
            lambda x: _kronecker(self._transposed, x[None])[0],
            lambda y: _kronecker(factors, y[None])[0],
        )

    def under_choice(self, choice: IntArray) -> FloatArray:
        """See :meth:`Transition.under_choice`."""
        digits = np.unravel_index(np.arange(self.states), self.sizes)
        chosen = np.unravel_index(choice, self.actions)
        chain = np.ones((self.states, 1))
        for block in self._blocks:
            given = (*(digits[c] for c in block.components), *(chosen[agent] for agent in block.agents))
            rows = np.broadcast_to(block.kernel[given], (self.states, block.kernel.shape[-1]))
            chain = (chain[:, :, None] * rows[:, None, :]).reshape(self.states, -1)
        return chain

    def sample(self, states: IntArray, actions: IntArray, uniforms: FloatArray) -> IntArray:
        """See :meth:`Transition.sample`."""
        drawn = []
        for number, block in enumerate(self._blocks):
            of_states, of_actions = self._rows[number]
            # With all agents in a block, the joint action is where it already says.
            rows = actions if len(block.agents) == len(self.actions) else of_actions.take(actions)
            if block.components:
                rows = rows + of_states.take(states)
            drawn.append(self._inverse_cdfs[number].draw(rows, uniforms[number]))
        return drawn[0] if len(drawn) == 1 else cells(drawn, self._block_sizes)

    def to_dense(self) -> FloatArray:
        """See :meth:`Transition.to_dense`."""
        columns = [self.expectation(indicator) for indicator in np.eye(self.states)]
        return np.stack(columns, axis=-1)

    def content(self) -> Iterator[NDArray[Any]]:
        """See :meth:`Transition.content`."""
        yield np.array(self.sizes, dtype=np.int64)
        yield np.array(self.actions, dtype=np.int64)
        for component in self._components:
            yield np.array(component.components, dtype=np.int64)
            yield np.array(component.agents, dtype=np.int64)
            yield component.kernel

    @cached_property
    def _inverse_cdfs(self) -> list[InverseCdf]:
        return [
            InverseCdf(cumulative(block.kernel.reshape(-1, size)))
            for block, size in zip(self._blocks, self._block_sizes, strict=True)
        ]

    @cached_property
    def _rows(self) -> list[tuple[IntArray, IntArray]]:
        """What a state and what a joint action add to the row of each block's kernel."""
        digits = np.unravel_index(np.arange(self.states), self.sizes)
        chosen = np.unravel_index(np.arange(math.prod(self.actions)), self.actions)
        rows = []
        for block in self._blocks:
            of_states = np.zeros(self.states, dtype=np.intp)
            for component in block.components:
                of_states = of_states * self.sizes[component] + digits[component]
            agents = math.prod(self.actions[agent] for agent in block.agents)
            of_actions = np.zeros(math.prod(self.actions), dtype=np.intp)
            for agent in block.agents:
                of_actions = of_actions * self.actions[agent] + chosen[agent]
            of_states *= agents
            smallest = np.min_scalar_type(of_states.max() + agents)
            rows.append((of_states.astype(smallest), of_actions.astype(smallest)))
        return rows


def _kronecker(factors: Sequence[FloatArray], rows: FloatArray) -> FloatArray:
    """Multiply every row by the Kronecker product of the factors, one factor at a time."""
    if len(factors) == 1:
        return rows @ factors[0]
    left, right = rows.shape[1], 1
    tensor = rows
    for factor in reversed(factors):
        left //= factor.shape[0]
        tensor = tensor.reshape(len(rows) * left, factor.shape[0], right)
        tensor = tensor[:, :, 0] @ factor if right == 1 else np.matmul(factor.T, tensor)
        right *= factor.shape[1]
    return tensor.reshape(len(rows), right)


def _contract(tensor: _Labelled, kernel: _Labelled, summed: set[int]) -> _Labelled:
    """Multiply two tensors along their common labels and sum over some of them."""
    common = [label for label in tensor.labels if label in kernel.labels]
    if set(common) == summed:
        axes = (
            [tensor.labels.index(label) for label in common],
            [kernel.labels.index(label) for label in common],
        )
        labels = tuple(label for label in (*tensor.labels, *kernel.labels) if label not in summed)
        return _Labelled(np.tensordot(tensor.array, kernel.array, axes=axes), labels)
    labels = tuple(dict.fromkeys(label for label in (*tensor.labels, *kernel.labels) if label not in summed))
    return _Labelled(_einsum(tensor, kernel, labels), labels)


def _einsum(left: _Labelled, right: _Labelled, kept: tuple[int, ...]) -> FloatArray:
    first, second, result = (
        "".join(ascii_letters[label] for label in labels) for labels in (left.labels, right.labels, kept)
    )
    product: FloatArray = np.einsum(f"{first},{second}->{result}", left.array, right.array)
    return product
