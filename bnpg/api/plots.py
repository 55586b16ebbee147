"""A figure that a notebook shows by itself, and a program saves."""

import io
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Plot:
    """A figure of matplotlib.

    Parameters
    ----------
    figure : Figure
    """

    def __init__(self, figure: "Figure") -> None:
        self.figure = figure
        """To be changed as any figure of matplotlib."""

    def __repr__(self) -> str:
        return "<Plot: .save(path) keeps it, .figure changes it>"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it, in the form that the name of the file says: PNG, SVG or PDF."""
        self.figure.savefig(path)

    def _repr_png_(self) -> bytes:
        """Return what a notebook shows."""
        file = io.BytesIO()
        self.figure.savefig(file, format="png")
        return file.getvalue()
