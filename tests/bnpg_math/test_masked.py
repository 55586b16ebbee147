"""A softmax over what may be taken: never anything else, and the gradient of its logarithm."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from bnpg_math.policies.categorical import log_probabilities
from bnpg_math.policies.masked import draw_masked, masked_scores
from bnpg_math.policies.softmax import log_policy


def legal_of(rng, lanes, actions):
    legal = (rng.random((lanes, actions)) < 0.5).astype(np.uint8)
    legal[np.arange(lanes), rng.integers(actions, size=lanes)] = 1
    return legal


@given(some.integers(1, 6), some.integers(0, 999), some.sampled_from([1.0, 30.0, 400.0]))
@settings(deadline=None)
def test_what_is_masked_is_never_drawn(actions, seed, scale):
    rng = np.random.default_rng(seed)
    lanes = 64
    table = log_policy(scale * rng.normal(size=(3, 2, actions)))
    legal = legal_of(rng, lanes, actions)
    states, parent = rng.integers(3, size=lanes), rng.integers(2, size=lanes)
    edges = np.array([0.0, np.nextafter(1.0, 0.0), 0.5])
    uniforms = np.concatenate([edges, rng.random(lanes - 3)])
    drawn = draw_masked(table, states, [parent], uniforms, legal)
    assert legal[np.arange(lanes), drawn].all()
    alone = [
        draw_masked(table, states[k : k + 1], [parent[k : k + 1]], uniforms[k : k + 1], legal[k : k + 1])[0]
        for k in range(lanes)
    ]
    assert drawn.tolist() == alone, "a lane draws alone what it draws beside others"


def test_probabilities_are_shared_among_what_may_be_taken():
    rows = np.log(np.array([[0.1, 0.3, 0.6]]))
    shares = np.exp(log_probabilities(rows, np.array([[1, 1, 0]], dtype=np.uint8)))
    assert shares.tolist() == [[pytest.approx(0.25), pytest.approx(0.75), 0.0]]


def test_scores_are_the_gradient_of_the_logarithm():
    rng = np.random.default_rng(4)
    theta, lanes = rng.normal(size=(2, 3)), 40
    states, weights = rng.integers(2, size=lanes), rng.normal(size=lanes)
    legal = legal_of(rng, lanes, 3)
    actions = draw_masked(log_policy(theta), states, [], rng.random(lanes), legal)

    def height(logits):
        shares = np.exp(log_probabilities(logits[states], legal))
        return float(weights @ np.log(shares[np.arange(lanes), actions]))

    found = masked_scores(log_policy(theta), states, [], actions, weights, legal)
    for place in np.ndindex(*theta.shape):
        nudge = np.zeros_like(theta)
        nudge[place] = 1e-6
        slope = (height(theta + nudge) - height(theta - nudge)) / 2e-6
        assert found[place] == pytest.approx(slope, abs=1e-6)
