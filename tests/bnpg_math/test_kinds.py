"""What a policy can do is what the protocols say, however often and in whatever order it is asked."""

import numpy as np
import pytest

from bnpg_math.policies.direct import TabularDirect
from bnpg_math.policies.interface import Direct, Policy, Tabular, Tabulated
from bnpg_math.policies.kinds import is_direct, is_tabular, is_tabulated
from bnpg_math.policies.tabular import TabularSoftmax


class Guessing:
    """A policy without a table."""

    def draw(self, *_: object) -> None:
        """Draw nothing."""


POLICIES = [TabularSoftmax(np.zeros((1, 2))), TabularDirect(np.full((1, 2), 0.5)), Guessing()]


@pytest.mark.parametrize("policy", POLICIES * 2, ids=lambda policy: type(policy).__name__)
def test_it_is_asked_as_isinstance_is(policy: Policy) -> None:
    assert is_tabulated(policy) == isinstance(policy, Tabulated)
    assert is_tabular(policy) == isinstance(policy, Tabular)
    assert is_direct(policy) == isinstance(policy, Direct)
