"""Reading a DAG as a person gives it: a family's name, a list of edges, or a file.

Three spellings, tried in this order::

    complete            one of empty, line, star, complete
    0-1,0-2             edges parent-child; 2-0 is as good as 0-2
    team.edges          a file: "parent child" or "parent-child" a line, # starts a comment; a line of names
                        at its head, and attributes behind the two numbers, are passed over
    policy.npz          a policy file: its array "edges"
"""

import codecs
import difflib
import re
from pathlib import Path

from bnpg_files.quoting import quoted
from bnpg_files.reading import read_bytes
from bnpg_math.arrays.npz import read_arrays
from bnpg_math.dag import FAMILIES, Dag, Edge
from bnpg_math.errors import DagError
from bnpg_math.policies.file import edges_of

_EDGE = re.compile(r"(\d{1,9})\s*(?:->|-|\s|,|;)\s*(\d{1,9})")
_LIST = re.compile(r"\s*\d+\s*->?\s*\d+\s*(,\s*\d+\s*->?\s*\d+\s*)*")
_BETWEEN = r"\s*[,;]\s*|\s+"
_HEADER = re.compile(rf"[A-Za-z_]\w*(?:(?:{_BETWEEN})[A-Za-z_]\w*)+")
_ATTRIBUTES = re.compile(rf"(\d{{1,9}})(?:{_BETWEEN})(\d{{1,9}})(?:{_BETWEEN})(\{{.*\}}|[^\s{{].*)")
_LONGEST_FILE = 1 << 20


def parse_dag(text: str, agents: int) -> Dag:
    """Make a DAG over `agents` agents from a name, a list of edges or a path.

    Parameters
    ----------
    text : str
        A family (``empty``, ``line``, ``star``, ``complete``), edges as ``0-1,0-2``, or the path of a
        file of edges or of a policy.
    agents : int
        N, known from the game.

    Returns
    -------
    Dag

    Raises
    ------
    DagError
        If the text is none of these, the file cannot be used, or the edges are no DAG.

    Examples
    --------
    >>> parse_dag("2-0, 0-1", 3).order
    (2, 0, 1)
    """
    name = text.strip()
    if name in FAMILIES:
        return FAMILIES[name](agents)
    if _LIST.fullmatch(name):
        return Dag(agents, tuple(_edge(part, f"dag {quoted(text)}") for part in name.split(",")))
    path = Path(name).expanduser()
    if name and path.exists():
        return Dag(agents, _edges_of_policy(path) if path.suffix == ".npz" else _edges_of_text(path))
    close = difflib.get_close_matches(name.lower(), list(FAMILIES), n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise DagError(
        f"dag {quoted(text)} is neither a family ({', '.join(FAMILIES)}), nor edges such as 0-1,0-2, "
        f"nor an existing file{hint}"
    )


def _edge(text: str, where: str) -> Edge:
    match = _EDGE.fullmatch(text.strip())
    if match is None:
        raise DagError(f"{where} must list edges such as 0-1, got {text.strip()[:40]!r}")
    return int(match[1]), int(match[2])


def _edges_of_text(path: Path) -> tuple[Edge, ...]:
    try:
        content = read_bytes(path, 4 * _LONGEST_FILE)
        # Editors and shells on Windows begin a file with a mark of its encoding.
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise DagError(f"DAG file {path} must be text with one edge a line, got binary data") from None
    except OSError as error:
        raise DagError(f"DAG file {path} cannot be read: {error.strerror}") from None
    if len(text) > _LONGEST_FILE:
        raise DagError(f"DAG file {path} must be at most {_LONGEST_FILE} characters long")
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line]
    columns = _HEADER.fullmatch(numbered[0][1]) if numbered else None
    named = len(re.split(_BETWEEN, columns[0])) > 2 if columns else False
    return tuple(
        _edge_of_line(line, f"line {number} of {path}", named)
        for number, line in numbered[1 if columns else 0 :]
    )


def _edge_of_line(line: str, where: str, named: bool) -> Edge:
    """Read the two numbers at the head of a line; `named` says that what follows them has a name."""
    match = _ATTRIBUTES.fullmatch(line)
    if match is None:
        return _edge(line, where)
    if match[3].isdecimal() and not named:
        raise DagError(
            f"{where} must list one edge such as 0-1, got {line[:40]!r}: is the third number a weight, which "
            "a header of three names would say, or another child, which needs a line of its own?"
        )
    return int(match[1]), int(match[2])


def _edges_of_policy(path: Path) -> tuple[Edge, ...]:
    arrays = read_arrays(path, "policy file", DagError, lambda name: name == "edges")
    if "edges" not in arrays:
        raise DagError(f"policy file {path} has no array 'edges'")
    return edges_of(arrays["edges"])
