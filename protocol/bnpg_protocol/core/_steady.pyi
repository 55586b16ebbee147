from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnpg_protocol.process.transport.interface import Arrival

def header_of(
    frame: bytes,
) -> tuple[bytes, tuple[int, ...], str, tuple[int, ...], list[Any]] | None: ...
def drawn(
    table: NDArray[np.float64], inputs: list[NDArray[Any]], uniforms: NDArray[np.float64], width: int
) -> bytes | None: ...
def uniforms_of(
    drawn_ahead: Any, number: int, round_: int, time: int, lane: int, lanes: int
) -> list[float]: ...

class RelayingCore:
    handled: int
    def __init__(
        self,
        machine: Any,
        kinds: tuple[type, type, type],
        send: Callable[..., bool],
        history: Any,
        quarantine: Any,
    ) -> None: ...
    def __call__(self, arrival: Arrival, now: float) -> bool: ...

class CoordinatorCore:
    handled: int
    def __init__(
        self,
        machine: Any,
        kinds: tuple[type, ...],
        part: int,
        warned_every: float,
        send: Callable[..., bool],
        history: Any,
        quarantine: Any,
    ) -> None: ...
    def __call__(self, arrival: Arrival, now: float) -> bool: ...
