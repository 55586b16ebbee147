"""The examples in the docstrings of the Python interface do what they say."""

import doctest
from importlib import import_module

import pytest

EXAMPLES = {"games": 3, "evaluation": 3, "recorded": 4, "train": 5}


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_run(name: str) -> None:
    ran = doctest.testmod(import_module(f"bnpg.api.{name}"), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert ran.failed == 0
    assert ran.attempted >= EXAMPLES[name]
