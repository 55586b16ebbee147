"""What a policy can do, asked once a class.

`isinstance` with a protocol goes through the names of all its methods and attributes: 13 to 21 us each time,
and an agent would ask six times in an exact round.
"""

from typing import TypeGuard

from bnpg_math.policies.interface import Differentiable, Direct, Policy, Tabular, Tabulated

_KINDS: dict[type[Policy], tuple[bool, bool, bool, bool]] = {}
"""By class: whether its objects are `Tabulated`, `Tabular`, `Direct` and `Differentiable`."""


def is_tabulated(policy: Policy) -> TypeGuard[Tabulated]:
    """Whether a policy can show its probabilities."""
    return _kinds(policy)[0]


def is_tabular(policy: Policy) -> TypeGuard[Tabular]:
    """Whether a policy follows a gradient that is given in its table."""
    return _kinds(policy)[1]


def is_direct(policy: Policy) -> TypeGuard[Direct]:
    """Whether the theta of a policy is its table."""
    return _kinds(policy)[2]


def is_differentiable(policy: Policy) -> TypeGuard[Differentiable]:
    """Whether any function of a policy's log probabilities can be followed through it."""
    return _kinds(policy)[3]


def _kinds(policy: Policy) -> tuple[bool, bool, bool, bool]:
    known = _KINDS.get(type(policy))
    if known is None:
        # Of an object: attributes may be there only once one is made.
        known = (
            isinstance(policy, Tabulated),
            isinstance(policy, Tabular),
            isinstance(policy, Direct),
            isinstance(policy, Differentiable),
        )
        _KINDS[type(policy)] = known
    return known
