"""Games whose state has components that move independently, given the state and what some agents do."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.npz import real, scalar
from bnpg_math.errors import GameError
from bnpg_math.games.game import Game
from bnpg_math.games.transitions.product import Component, ProductTransition


def product_game(
    name: str,
    sizes: Sequence[int],
    actions: Sequence[int],
    components: Sequence[Component],
    reward: ArrayLike,
    initial: ArrayLike,
    gamma: float | FloatArray,
) -> Game:
    """Make a game of small kernels, one for each component of the state: much smaller than its tensor.

    The state is a tuple (c_1, .., c_K), numbered in mixed radix with the last component fastest, and

        P(s'|s, a) = prod_k p_k(c'_k | some current components, some agents' actions).

    Parameters
    ----------
    name : str
        For people.
    sizes : sequence of K int
        Number of values of each component; S is their product.
    actions : sequence of N int
        (A_1, .., A_N).
    components : sequence of K Component
        ``Component(kernel, components, agents)``, in order: the distribution of the next value, with an axis
        for each of the current components and agents that matter, both ascending, and the next value last.
    reward : (S, A_1, .., A_N) float
        Team reward; anything that broadcasts to this shape, such as (S, 1, .., 1).
    initial : (S,) float
        mu.
    gamma : float
        Discount, in [0, 1).

    Returns
    -------
    Game

    Raises
    ------
    GameError
        If an array is not what it should be.

    Examples
    --------
    Two lamps, each switched by an agent that succeeds nine times in ten; the team wants both lit:

    >>> press = np.array([[0.9, 0.1], [0.1, 0.9]])
    >>> lamps = [Component(press, agents=(0,)), Component(press, agents=(1,))]
    >>> lit = np.array([0.0, 0.0, 0.0, 1.0]).reshape(4, 1, 1)
    >>> game = product_game("lamps", (2, 2), (2, 2), lamps, lit, np.full(4, 0.25), 0.9)
    >>> game.states, game.joint_actions
    (4, 4)
    """
    kernel = ProductTransition(
        _counts(sizes, "sizes"),
        _counts(actions, "actions"),
        [
            Component(
                real(component.kernel, f"kernel of component {number}", GameError),
                tuple(component.components),
                tuple(component.agents),
            )
            for number, component in enumerate(components)
        ],
    )
    earned = real(reward, "reward", GameError)
    shape = (kernel.states, *kernel.actions)
    try:
        spread = np.broadcast_to(earned, shape)
    except ValueError:
        raise GameError(f"reward must have shape {shape}, got {earned.shape}") from None
    return Game(name, kernel, spread, real(initial, "initial", GameError), scalar(gamma, "gamma", GameError))


def product_arrays(transition: ProductTransition) -> dict[str, NDArray[Any]]:
    """Return the arrays by which a file holds a product kernel.

    Parameters
    ----------
    transition : ProductTransition

    Returns
    -------
    dict
        ``sizes``, ``actions``, and of each component k ``kernel_k``, ``components_k``, ``agents_k``.
    """
    sizes, actions, *rest = transition.content()
    arrays = {"sizes": sizes, "actions": actions}
    for number in range(len(sizes)):
        for name, array in zip(("components", "agents", "kernel"), rest[3 * number :], strict=False):
            arrays[f"{name}_{number}"] = array
    return arrays


def components_from(arrays: dict[str, NDArray[Any]]) -> list[Component]:
    """Return the components that :func:`product_arrays` has written.

    Raises
    ------
    GameError
        If an array is missing.
    """
    components = []
    for number in range(len(_counts(arrays["sizes"], "sizes"))):
        for name in ("kernel", "components", "agents"):
            if f"{name}_{number}" not in arrays:
                raise GameError(f"lacks {name}_{number}; expected one for each of the sizes")
        components.append(
            Component(
                real(arrays[f"kernel_{number}"], f"kernel_{number}", GameError),
                _counts(arrays[f"components_{number}"], f"components_{number}"),
                _counts(arrays[f"agents_{number}"], f"agents_{number}"),
            )
        )
    return components


def _counts(given: Any, what: str) -> tuple[int, ...]:
    array = np.asarray(given)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise GameError(f"{what} must be a list of integers, got dtype {array.dtype}, shape {array.shape}")
    return tuple(int(number) for number in array)
