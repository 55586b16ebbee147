"""How a notebook shows what has numbers: a small table with a heading."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any


def facts(heading: str, rows: Mapping[str, Any]) -> str:
    """Return a table of HTML, a row a fact.

    Parameters
    ----------
    heading : str
    rows : mapping from str to object
        Numbers are shown with six digits.
    """
    cells = "".join(
        f"<tr><th scope='row' style='text-align:left'>{escape(name)}</th><td>{_text(value)}</td></tr>"
        for name, value in rows.items()
    )
    return f"<table><caption>{escape(heading)}</caption>{cells}</table>"


def columns(
    heading: str, head: Sequence[str], rows: Sequence[Sequence[Any]], most: int = 24, total: int | None = None
) -> str:
    """Return a table of HTML with named columns.

    Parameters
    ----------
    heading : str
    head : sequence of K str
    rows : sequence of sequences of K objects
        Numbers are shown with six digits.
    most : int
        So many rows are shown; a last one says how many there are besides.
    total : int, optional
        How many rows there are, if not all were handed over.
    """
    top = "".join(f"<th scope='col'>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows[:most])
    rest = (len(rows) if total is None else total) - most
    end = f"<tr><td colspan='{len(head)}'>.. and {rest} more</td></tr>" if rest > 0 else ""
    return f"<table><caption>{escape(heading)}</caption><tr>{top}</tr>{body}{end}</table>"


def _text(value: Any) -> str:
    return escape(f"{value:.6g}" if isinstance(value, float) else str(value))
