"""What an agent imports must not cost scipy or networkx."""

import pytest

from bnpg.lab.testing.imports import loaded_by

LIGHT = [
    "arrays",
    "arrays.numerics",
    "errors",
    "chance.streams",
    "chance.sampling",
    "learning.estimators",
    "learning.gradient",
    "policies.softmax",
]


@pytest.mark.parametrize("module", LIGHT)
def test_an_agents_modules_import_numpy_only(module):
    assert loaded_by(f"import bnpg_math.{module}", ["scipy", "networkx"]) == []
