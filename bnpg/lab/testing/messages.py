"""Hypothesis strategies for envelopes, built from the definitions of the messages themselves."""

from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
import numpy as np
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.messages import KINDS, LARGEST_COUNT, Message, Tensor
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

_LONGEST_TEXT = 24


def counts() -> st.SearchStrategy[int]:
    """Return a strategy for numbers of rounds, steps, messages."""
    return st.integers(0, 40) | st.integers(0, LARGEST_COUNT)


def tensors(rule: Tensor) -> st.SearchStrategy[NDArray[Any]]:
    """Return a strategy for arrays that a field of this rule may hold."""

    def filled(code: str, shape: tuple[int, ...]) -> st.SearchStrategy[NDArray[Any]]:
        dtype = np.dtype(code)
        elements = (
            st.floats(allow_nan=False, allow_infinity=False, width=32 if dtype.itemsize == 4 else 64)
            if dtype.kind == "f"
            else st.integers(int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
        )
        return arrays.arrays(dtype, shape, elements=elements)

    axes = {} if rule.axes is None else {"min_dims": rule.axes, "max_dims": rule.axes}
    shapes = arrays.array_shapes(min_side=0, max_side=4, **axes)
    return st.tuples(st.sampled_from(sorted(rule.dtypes)), shapes).flatmap(lambda drawn: filled(*drawn))


def messages(kind: type[Message]) -> st.SearchStrategy[Message]:
    """Return a strategy for messages of one kind."""
    hints = get_type_hints(kind, include_extras=True)
    return st.builds(kind, **{field: _values(hints[field]) for field in kind.__struct_fields__})


def any_message() -> st.SearchStrategy[Message]:
    """Return a strategy for messages of all kinds."""
    return st.sampled_from(sorted(KINDS)).flatmap(lambda name: messages(KINDS[name]))


def envelopes(message: st.SearchStrategy[Message] | None = None) -> st.SearchStrategy[Envelope]:
    """Return a strategy for envelopes, around messages of all kinds unless others are given."""
    return st.builds(
        Envelope,
        run=st.text(max_size=_LONGEST_TEXT),
        generation=counts(),
        epoch=counts(),
        sender=st.integers(-2, 50),
        incarnation=counts(),
        seq=counts(),
        ack=counts(),
        lamport=counts(),
        message=any_message() if message is None else message,
    )


def _values(hint: Any) -> st.SearchStrategy[Any]:
    if get_origin(hint) is Annotated:
        plain, rule = get_args(hint)
        if isinstance(rule, Tensor):
            return tensors(rule)
        assert isinstance(rule, msgspec.Meta)
        if rule.pattern is not None:
            return st.from_regex(rule.pattern)
        if plain is str:
            return st.text(max_size=_LONGEST_TEXT)
        if plain is int:
            return counts().map(lambda drawn: drawn - drawn % (rule.multiple_of or 1))
        most = None if rule.le is None or rule.le > LARGEST_COUNT else float(rule.le)
        return st.floats(0, most, exclude_min=rule.gt is not None, allow_nan=False, allow_infinity=False)
    if get_origin(hint) is tuple:
        first, *rest = get_args(hint)
        if rest == [...]:
            return st.lists(_values(first), max_size=4).map(tuple)
        return st.tuples(*map(_values, get_args(hint)))
    if hint is bool:
        return st.booleans()
    if hint is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    if hint is int:
        return st.integers(-2, LARGEST_COUNT)
    assert hint is str, hint
    return st.text(max_size=_LONGEST_TEXT)
