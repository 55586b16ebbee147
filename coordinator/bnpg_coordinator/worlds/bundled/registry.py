"""Bundled simulators by name: ``relay(agents=4)``, or ``coordination(agents=3, T=25)``."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from bnpg_coordinator.worlds.bundled.aloha import Aloha
from bnpg_coordinator.worlds.bundled.assign import Assign
from bnpg_coordinator.worlds.bundled.coordination import Coordination
from bnpg_coordinator.worlds.bundled.relay import Relay
from bnpg_coordinator.worlds.bundled.spread import Spread
from bnpg_coordinator.worlds.simulated import Simulator
from bnpg_math.games.call import Arguments, checked_arguments

SIMULATORS: Mapping[str, Callable[..., Simulator]] = MappingProxyType(
    {
        "aloha": Aloha,
        "assign": Assign,
        "coordination": Coordination,
        "relay": Relay,
        "spread": Spread,
    }
)
"""Every bundled simulator by its name. Parameters and their types are those of its class."""


def simulator(name: str, arguments: Arguments) -> Simulator:
    """Make a bundled simulator.

    Raises
    ------
    GameError
        If a parameter is unknown, ill-typed or out of its range.
    """
    make = SIMULATORS[name]
    return make(**checked_arguments(name, make, arguments))
