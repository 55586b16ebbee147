import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, issparse

from bnpg_math.errors import GameError
from bnpg_math.exact.values import evaluate
from bnpg_math.games.game import Game, dense_game
from bnpg_math.games.transitions import product
from bnpg_math.games.transitions.dense import DenseTransition
from bnpg_math.games.transitions.product import Component, ProductTransition
from bnpg_math.games.transitions.sparse import SparseTransition
from bnpg_math.games.transitions.stateless import StatelessTransition


def random_product(rng):
    """A product transition with random dependencies, and its tensor by enumeration."""
    sizes = tuple(int(n) for n in rng.integers(1, 4, size=rng.integers(1, 4)))
    actions = tuple(int(n) for n in rng.integers(1, 4, size=rng.integers(1, 4)))
    parts = []
    for size in sizes:
        components = tuple(k for k in range(len(sizes)) if rng.random() < 0.5)
        agents = tuple(i for i in range(len(actions)) if rng.random() < 0.5)
        rows = [sizes[k] for k in components] + [actions[i] for i in agents]
        kernel = rng.random((*rows, size))
        parts.append(Component(kernel / kernel.sum(axis=-1, keepdims=True), components, agents))
    states = int(np.prod(sizes))
    tensor = np.zeros((states, *actions, states))
    for s, a, t in ((s, a, t) for s in range(states) for a in np.ndindex(*actions) for t in range(states)):
        now, then = np.unravel_index(s, sizes), np.unravel_index(t, sizes)
        chances = [
            part.kernel[(*(now[k] for k in part.components), *(a[i] for i in part.agents), then[number])]
            for number, part in enumerate(parts)
        ]
        tensor[(s, *a, t)] = np.prod(chances)
    return ProductTransition(sizes, actions, parts), tensor


def kinds(rng):
    """The same kernel in every form it allows, with the tensor."""
    states, actions = 3, (2, 3)
    tensor = rng.dirichlet(np.ones(states), size=(states, *actions))
    tensor[0, 0, 0] = [0.0, 1.0, 0.0]
    yield DenseTransition(tensor), tensor
    yield SparseTransition(csr_array(tensor.reshape(-1, states)), actions), tensor
    forgetful = np.broadcast_to(tensor[:1], tensor.shape)
    yield StatelessTransition(tensor[0]), forgetful
    yield random_product(rng)


def random_joint(rng, states, actions):
    return rng.dirichlet(np.ones(int(np.prod(actions))), size=states).reshape(states, *actions)


def check_against_tensor(transition, tensor, rng):
    states, actions = tensor.shape[0], tensor.shape[1:-1]
    value = rng.normal(size=states)
    pi = random_joint(rng, states, actions)
    assert (transition.states, transition.actions) == (states, actions)
    np.testing.assert_allclose(transition.to_dense(), tensor, atol=1e-14)
    np.testing.assert_allclose(transition.expectation(value), tensor @ value, atol=1e-13)
    flat = tensor.reshape(states, -1, states)
    chain = transition.under(pi)
    chain = chain.toarray() if issparse(chain) else chain
    np.testing.assert_allclose(chain, np.einsum("sa,sat->st", pi.reshape(states, -1), flat), atol=1e-13)
    forward, backward = transition.along(pi)
    np.testing.assert_allclose(forward(value), chain @ value, atol=1e-13)
    np.testing.assert_allclose(backward(value), chain.T @ value, atol=1e-13)
    choice = rng.integers(flat.shape[1], size=states)
    chosen = transition.under_choice(choice)
    chosen = chosen.toarray() if issparse(chosen) else chosen
    np.testing.assert_allclose(chosen, flat[np.arange(states), choice], atol=1e-14)


@pytest.mark.parametrize("seed", range(3))
def test_every_form_agrees_with_the_whole_tensor(seed):
    rng = np.random.default_rng(seed)
    for transition, tensor in kinds(rng):
        check_against_tensor(transition, tensor, rng)


@given(seed=st.integers(0, 10**6), merged=st.sampled_from([1, 16, 1 << 12]))
@settings(deadline=None)
def test_a_product_agrees_with_enumeration_however_it_is_merged(seed, merged):
    rng = np.random.default_rng(seed)
    before = product._LARGEST_MERGED
    product._LARGEST_MERGED = merged
    try:
        transition, tensor = random_product(rng)
    finally:
        product._LARGEST_MERGED = before
    check_against_tensor(transition, tensor, rng)


@pytest.mark.parametrize("seed", range(2))
def test_samples_have_the_distribution_of_the_row(seed):
    rng = np.random.default_rng(seed)
    lanes = 20_000
    for transition, tensor in kinds(rng):
        state = int(rng.integers(tensor.shape[0]))
        joint = tuple(int(rng.integers(count)) for count in transition.actions)
        drawn = transition.sample(
            np.full(lanes, state),
            np.full(lanes, np.ravel_multi_index(joint, transition.actions)),
            rng.random((transition.draws, lanes)),
        )
        row = tensor[(state, *joint)]
        frequency = np.bincount(drawn, minlength=row.size) / lanes
        assert (np.abs(frequency - row) <= 4.5 * np.sqrt(row * (1 - row) / lanes) + 1e-12).all()


def test_the_largest_uniform_stays_inside():
    rng = np.random.default_rng(0)
    almost_one = np.nextafter(1.0, 0.0)
    for transition, tensor in kinds(rng):
        for state in range(transition.states):
            for joint in np.ndindex(*transition.actions):
                lanes = (np.array([state]), np.array([np.ravel_multi_index(joint, transition.actions)]))
                for edge in (0.0, almost_one):
                    (drawn,) = transition.sample(*lanes, np.full((transition.draws, 1), edge))
                    assert tensor[(state, *joint, drawn)] > 0.0


def test_many_states_are_sampled_by_bisection():
    rng = np.random.default_rng(0)
    tensor = rng.dirichlet(np.full(100, 0.1), size=(100, 2))
    tensor /= tensor.sum(axis=-1, keepdims=True)
    states, actions, u = rng.integers(100, size=500), rng.integers(2, size=500), rng.random(500)
    expected = [
        int(np.searchsorted(np.cumsum(tensor[s, a]), x, side="right"))
        for s, a, x in zip(states, actions, u, strict=True)
    ]
    for transition in (DenseTransition(tensor), SparseTransition(csr_array(tensor.reshape(200, 100)), (2,))):
        np.testing.assert_array_equal(transition.sample(states, actions, u[None]), expected)


def test_structure_does_not_change_the_values(problem):
    rng = np.random.default_rng(4)
    for transition, tensor in kinds(rng):
        shape = tensor.shape[:-1]
        reward, mu = rng.normal(size=shape), np.full(shape[0], 1 / shape[0])
        pi = random_joint(rng, shape[0], shape[1:])
        structured = evaluate(Game("structured", transition, reward, mu, 0.9), pi)
        plain = evaluate(dense_game("plain", tensor, reward, mu, 0.9), pi)
        for name in ("V", "Q", "d"):
            np.testing.assert_allclose(getattr(structured, name), getattr(plain, name), rtol=1e-11)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DenseTransition(np.ones((2, 2))), r"must have shape \(S, A_1"),
        (lambda: DenseTransition(np.ones((2, 1, 3))), "must have shape"),
        (lambda: DenseTransition(np.zeros((0, 1, 0))), "must have shape"),
        (
            lambda: DenseTransition(np.array([[[0.5, 0.47], [0, 1]], [[0, 1], [0, 1]]])),
            r"transition\[0, 0\] must sum to 1, got 0.97",
        ),
        (
            lambda: DenseTransition(np.array([[[1.5, -0.5]], [[0, 1]]])),
            r"transition\[0, 0, 1\] must not be negative, got -0.5",
        ),
        (lambda: DenseTransition(np.full((1, 1, 1), np.nan)), r"transition\[0, 0, 0\] must be finite"),
        (lambda: StatelessTransition(np.ones(3)), "stateless transition must have shape"),
        (lambda: SparseTransition(csr_array(np.ones((3, 2)) / 2), (2,)), r"S \* 2 rows"),
        (lambda: SparseTransition(csr_array(np.ones((4, 2))), (2,)), r"transition\[0, 0\] must sum to 1"),
        (lambda: ProductTransition((2,), (2,), []), "expected 1 components"),
        (
            lambda: ProductTransition((2,), (2,), [Component(np.ones((3, 2)) / 2, agents=(0,))]),
            r"kernel of component 0 must have shape \(2, 2\)",
        ),
        (
            lambda: ProductTransition((2,), (2,), [Component(np.ones((2, 2)) / 2, agents=(1,))]),
            "must name ascending agents",
        ),
    ],
)
def test_what_is_no_kernel_is_refused(make, message):
    with pytest.raises(GameError, match=message):
        make()
