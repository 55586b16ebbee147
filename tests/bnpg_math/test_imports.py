"""What an agent imports must not cost scipy or networkx."""

import subprocess
import sys

import pytest

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
    code = f"import sys, bnpg_math.{module}; print(int('scipy' in sys.modules or 'networkx' in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"
