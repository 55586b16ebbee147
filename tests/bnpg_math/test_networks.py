"""Perceptrons: gradients by hand, the tile rule, where they start from, and what names them."""

import numpy as np
import pytest

from bnpg_math.errors import PolicyError
from bnpg_math.networks.mlp import backpropagate, checked, initial, orthogonal, outputs, shapes
from bnpg_math.networks.spec import parse_hidden
from bnpg_math.networks.tiles import CHUNK, TILE, padded
from tests.bnpg_math.network_cases import agree


def _network(inputs=5, hidden=(8, 6), actions=3, seed=0):
    rng = np.random.default_rng(seed)
    return {name: 0.7 * rng.normal(size=shape) for name, shape in shapes(inputs, hidden, actions).items()}


@pytest.mark.parametrize("hidden", [(), (4,), (8, 6), (3, 4, 5)])
def test_the_gradient_is_that_of_central_differences(hidden):
    theta = _network(hidden=hidden)
    rng = np.random.default_rng(1)
    rows, target = rng.normal(size=(70, 5)), rng.normal(size=(70, 3))

    def height(at):
        return float((target * np.sin(outputs(at, padded(rows))[:70])).sum())

    gradient = backpropagate(theta, 70, lambda part: rows[part], lambda part, out: target[part] * np.cos(out))
    agree(gradient, height, theta)


def test_chunks_of_rows_add_up_to_the_rows_in_one_product():
    theta = _network()
    rng = np.random.default_rng(2)
    count = 2 * CHUNK + 37
    rows, pulled = rng.normal(size=(count, 5)), rng.normal(size=(count, 3))
    got = backpropagate(theta, count, lambda part: rows[part], lambda part, _: pulled[part])
    first = np.tanh(rows @ theta["0.weight"].T + theta["0.bias"])
    second = np.tanh(first @ theta["2.weight"].T + theta["2.bias"])
    back = (pulled @ theta["4.weight"]) * (1 - second**2)
    expected = {
        "4.weight": pulled.T @ second,
        "4.bias": pulled.sum(axis=0),
        "2.weight": back.T @ first,
        "2.bias": back.sum(axis=0),
    }
    for name, array in expected.items():
        np.testing.assert_allclose(got[name], array, rtol=1e-10, atol=1e-10)


def test_no_rows_have_a_gradient_of_zeros():
    theta = _network()
    got = backpropagate(theta, 0, lambda _: np.zeros((0, 5)), lambda _, out: out)
    assert all(not array.any() and array.shape == theta[name].shape for name, array in got.items())


@pytest.mark.parametrize("width", [1, 5, 32, 64, 65])
@pytest.mark.parametrize(("start", "stop"), [(0, 1), (0, 64), (64, 65), (64, 200), (192, 513), (512, 513)])
def test_a_row_at_its_place_of_a_tile_comes_out_the_same_whatever_is_beside_it(width, start, stop):
    theta = _network(inputs=width, hidden=(width, 33))
    rows = np.random.default_rng(3).normal(size=(513, width))
    assert start % TILE == 0
    together = outputs(theta, padded(rows))[start:stop]
    alone = outputs(theta, padded(rows[start:stop]))[: stop - start]
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (6, 6), (1, 3), (64, 64)])
def test_weights_start_orthogonal(shape):
    found = orthogonal(np.random.default_rng(4).normal(size=shape))
    gram = found @ found.T if shape[0] <= shape[1] else found.T @ found
    np.testing.assert_allclose(gram, np.eye(min(shape)), atol=1e-13)


def test_a_network_starts_from_its_seed_and_owner_alone():
    theta = initial(7, 2, 5, (8, 8), 3, 0.01)
    again = initial(7, 2, 5, (8, 8), 3, 0.01)
    for name, array in theta.items():
        np.testing.assert_array_equal(array, again[name])
    others = [initial(7, 1, 5, (8, 8), 3, 0.01), initial(8, 2, 5, (8, 8), 3, 0.01)]
    assert all(not np.array_equal(theta["0.weight"], other["0.weight"]) for other in others)
    assert not np.array_equal(theta["2.weight"][:, :5], theta["0.weight"])
    assert not theta["0.bias"].any()
    np.testing.assert_allclose(np.linalg.svd(theta["4.weight"])[1], 0.01)


def test_parameters_of_another_network_are_refused_by_name():
    named = shapes(5, (8,), 3)
    good = initial(0, 0, 5, (8,), 3, 1.0)
    assert checked(good, named) is good
    with pytest.raises(PolicyError, match=r"2\.weight of a network must have shape \(3, 8\), got \(3, 9\)"):
        checked({**good, "2.weight": np.zeros((3, 9))}, named)
    with pytest.raises(PolicyError, match=r"0\.bias .* got none"):
        checked({name: array for name, array in good.items() if name != "0.bias"}, named)
    with pytest.raises(PolicyError, match=r"theta of a network must have shape none of this name"):
        checked({**good, "theta": np.zeros(1)}, named)


@pytest.mark.parametrize(
    "text",
    ["mlp", "mlp:", "mlp:0", "mlp:64,", "mlp:64 64", "mlp:-3", "net:4", "mlp:1025", "mlp:" + "4," * 8 + "4"],
)
def test_what_names_no_network_is_refused_in_one_line(text):
    with pytest.raises(PolicyError, match="network must"):
        parse_hidden(text)


def test_a_text_names_the_widths_of_the_hidden_layers():
    assert parse_hidden("mlp:64,64") == (64, 64)
    assert parse_hidden(" mlp:8 ") == (8,)
