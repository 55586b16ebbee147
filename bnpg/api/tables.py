"""How a notebook shows what has numbers: a small table with a heading."""

from collections.abc import Mapping
from html import escape
from typing import Any


def table(heading: str, rows: Mapping[str, Any]) -> str:
    """Return a table of HTML.

    Parameters
    ----------
    heading : str
    rows : mapping from str to object
        Numbers are shown with six digits.
    """
    cells = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th><td>{escape(_text(value))}</td></tr>"
        for name, value in rows.items()
    )
    return f"<table><caption>{escape(heading)}</caption>{cells}</table>"


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
