"""What messages quote is one short line, however large the value is, and costs nothing to make."""

import time
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

import bnpg
from bnpg_files.quoting import LONGEST, quoted

CUBE = np.zeros((2,) * 20)
LARGE: list[Any] = [
    CUBE,
    (0, CUBE),
    [[CUBE] * 1000] * 1000,
    {"a": CUBE, "b": {1: CUBE}},
    {1, *range(10**6)},
    list(range(10**7)),
    "x" * 10**8,
    b"x" * 10**8,
    10**5000,
    [10**5000],
    "two\nlines",
    csr_matrix((1000, 1000)),
    np.array(["two\nlines"], dtype=object),
]


@pytest.mark.parametrize("number", range(len(LARGE)))
def test_what_is_quoted_is_one_short_line(number: int) -> None:
    began = time.process_time()
    text = quoted(LARGE[number])
    assert time.process_time() - began < 1.0
    assert len(text) <= LONGEST
    assert text.isprintable()


def test_what_is_short_is_quoted_as_python_writes_it() -> None:
    for value in (0, -1.5, "a'b", None, True, (0, 1, 2), [0.5, "x"], {"a": 1}, b"ab", int):
        assert quoted(value) == repr(value)


@pytest.mark.parametrize(
    "asked",
    [
        lambda value: bnpg.Dag(2, ((0, value),)),
        lambda value: bnpg.Dag(2, (value,)),
        bnpg.Dag,
        lambda value: bnpg.train("climbing", dag={0: [value]}),
        lambda value: bnpg.train("climbing", dag=value),
        lambda value: bnpg.Policy(value, ()),
        lambda value: bnpg.sweep({"seed": [0]}, "swept", base={"game": "climbing"}, jobs=value),
        lambda value: bnpg.evaluate("climbing", "none.npz", regularization=value),
    ],
)
@pytest.mark.parametrize("value", [CUBE, "x" * 100 + "\n", ((CUBE, 1), 2), b"x" * 1000])
def test_refusals_quote_no_more_than_a_line(asked: Any, value: Any) -> None:
    began = time.process_time()
    with pytest.raises((bnpg.InputError, TypeError)) as caught:  # Python itself refuses some as keys
        asked(value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
    assert time.process_time() - began < 5.0
