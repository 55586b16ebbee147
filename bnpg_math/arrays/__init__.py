"""The two array types of the mathematics."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
"""Probabilities, logits, values: always float64, so that a run is the same on every host."""

IntArray: TypeAlias = NDArray[np.integer[Any]]
"""States and actions: any integer width, since the wire chooses its own."""
