"""Pages made from the code: messages, lines of traces and records, settings, modules, phases.

Each turns what the code declares into Markdown, so that the page cannot say anything else than the code.
"""

import importlib
import pkgutil
import re
import types
import typing
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from bnpg_coordinator import line as record_line
from bnpg_protocol.process import phases, trace_line
from bnpg_protocol.wire import messages
from bnpg_protocol.wire.messages import KINDS
from docutils import nodes
from msgspec import UnsetType
from msgspec.structs import fields
from settings_table import row, settings_table
from sphinx.application import Sphinx
from sphinx.ext.napoleon import Config, NumpyDocstring
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

_PLAIN = {int: "integer", str: "text", bool: "true or false", float: "number", type(None): "null"}
_NAMED = (
    (messages.Count, "count"),
    (messages.Positive, "number > 0"),
    (messages.NotNegative, "number ≥ 0"),
    (messages.Share, "number in [0, 1]"),
    (messages.States, "states"),
    (messages.Actions, "actions"),
    (messages.ActionRows, "rows of actions"),
    (messages.Digests, "digests"),
    (messages.Weights, "weights"),
    (messages.Table, "table"),
    (messages.Observations, "observations"),
    (messages.Mask, "mask"),
    (messages.Flags, "flags"),
    (messages.Sealed, "sealed bytes"),
    (trace_line.Process, "process"),
    (trace_line.Anybody, "process, or `agent` for one without an id"),
    (trace_line.Payload, "8 hexadecimal digits"),
    (trace_line.Theta, "32 hexadecimal digits"),
)


def _comments(module: ModuleType) -> dict[tuple[str, str], str]:
    """What stands below each attribute of a module's classes, by class and attribute."""
    found = ModuleAnalyzer.for_module(module.__name__).find_attr_docs()
    return {place: " ".join(" ".join(lines).split()) for place, lines in found.items()}


def _type(hint: Any) -> str:
    """A field's type in the words of `docs/protocol.md`."""
    named = [name for alias, name in _NAMED if hint == alias]
    if named:
        return named[0]
    origin, of = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_type(each) for each in of if each is not UnsetType)
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in of)
    if origin is dict:
        return f"object, {_type(of[0])} to {_type(of[1])}"
    if origin is list:
        return f"{_type(of[0])}s"
    if origin is tuple:
        return f"{_type(of[0])}s" if of[1:] == (...,) else f"({', '.join(map(_type, of))})"
    if typing.get_origin(hint) is typing.Annotated:
        plain, *limits = typing.get_args(hint)
        [limit] = limits
        most = "" if limit.le is None else f", ≤ {limit.le}"
        return f"{_type(plain)} ≥ {limit.ge}{most}" + (
            f", a multiple of {limit.multiple_of}" * bool(limit.multiple_of)
        )
    return _PLAIN[hint]


def _message(name: str, kind: type[messages.Message], comments: dict[tuple[str, str], str]) -> Iterator[str]:
    """One message: what it says, and its fields in wire order."""
    yield f"### `{name}`\n"
    yield f"{kind.__doc__}\n"
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = {field: comments.get((name, field), "") for field in kind.__struct_fields__}
    columns = 3 if any(fields.values()) else 2
    if fields:
        yield row(["field", "type", "meaning"][:columns])
        yield row(["---"] * columns)
    for field, meaning in fields.items():
        yield row([f"`{field}`", _type(hints[field]), meaning][:columns])
    yield ""


class Messages(SphinxDirective):
    """Every kind of message, from `protocol/bnpg_protocol/wire/messages.py`."""

    def run(self) -> list[nodes.Node]:
        """Return the part of the page that stands for the directive."""
        self.env.note_dependency(messages.__file__)
        comments = _comments(messages)
        lines = []
        for title, sequenced in (("Outside the order", False), ("In order", True)):
            lines.append(f"## {title}\n")
            for name, kind in KINDS.items():
                if kind.sequenced is sequenced:
                    lines += _message(name, kind, comments)
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


class TraceLines(SphinxDirective):
    """Every kind of line in a trace, from `protocol/bnpg_protocol/process/trace_line.py`."""

    def run(self) -> list[nodes.Node]:
        """Return the part of the page that stands for the directive."""
        self.env.note_dependency(str(trace_line.__file__))
        comments = _comments(trace_line)
        lines = []
        for kind in (*_SHARED, *typing.get_args(trace_line.Line)):
            lines += _trace_line(kind, comments)
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


_SHARED = {
    trace_line.TraceLine: "Every line",
    trace_line.LineInEpoch: "Every line of an event within an epoch",
    trace_line.MessageLine: "Every line of a message",
}


def _trace_line(kind: type[trace_line.TraceLine], comments: dict[tuple[str, str], str]) -> Iterator[str]:
    """One kind of line: what it says, and the fields that it has besides those it shares with others."""
    base = kind.__base__
    yield f"### {_SHARED.get(kind) or f'`{kind.__struct_config__.tag}`'}\n"
    if kind not in _SHARED:
        yield f"{kind.__doc__}\n"
    shared = base.__struct_fields__ if base in _SHARED else ()
    own = [one for one in fields(kind) if one.name not in shared]
    if base in _SHARED:
        yield f"As {_SHARED[base].lower()}{', and:' if own else '.'}\n"
    hints = typing.get_type_hints(kind, include_extras=True)
    if own:
        yield row(["field", "type", "meaning"])
        yield row(["---"] * 3)
    for one in own:
        optional = ", optional" if UnsetType in typing.get_args(hints[one.name]) else ""
        meaning = comments.get((kind.__name__, one.name), "")
        yield row([f"`{one.encode_name}`", _type(hints[one.name]) + optional, meaning])
    yield ""


class RecordLine(SphinxDirective):
    """The fields of a line of a run record, from `coordinator/bnpg_coordinator/line.py`."""

    def run(self) -> list[nodes.Node]:
        """Return the part of the page that stands for the directive."""
        self.env.note_dependency(str(record_line.__file__))
        comments, hints = _comments(record_line), typing.get_type_hints(record_line.Line, include_extras=True)
        lines = [row(["field", "type", "meaning"]), row(["---"] * 3)]
        for name in (name for name in record_line.Line.__struct_fields__ if not name.endswith("_reason")):
            optional = ", optional" if UnsetType in typing.get_args(hints[name]) else ""
            lines.append(row([f"`{name}`", _type(hints[name]) + optional, comments.get(("Line", name), "")]))
        return self.parse_text_to_nodes("\n".join(lines))


class Settings(SphinxDirective):
    """Every setting of a Struct, from its declaration."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the part of the page that stands for the directive."""
        module, name = self.arguments[0].rsplit(".", 1)
        home = importlib.import_module(module)
        self.env.note_dependency(str(home.__file__))
        return self.parse_text_to_nodes(settings_table(getattr(home, name)))


class Phases(SphinxDirective):
    """The phases of a machine, from the table it is written around."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the part of the page that stands for the directive."""
        module = importlib.import_module(self.arguments[0])
        self.env.note_dependency(str(module.__file__))
        lines = ["```text", phases.drawn(module.PHASES), "```\n"]
        lines += [row(["phase", "what it is", "message", "from", "leads to"]), row(["---"] * 5)]
        for name, phase in module.PHASES.items():
            shown, meaning = f"`{name}`", phase.meaning
            for kind, rule in phase.rules.items() or [(None, None)]:
                message = f"`{kind.__name__}`" if kind else ""
                sender, leads = (rule.sender, ", ".join(rule.leads)) if rule else ("", "")
                lines.append(row([shown, meaning, message, sender, leads]))
                shown = meaning = ""
        return self.parse_text_to_nodes("\n".join(lines))


class Modules(SphinxDirective):
    """The modules of a package, each a section with all that is public in it."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the part of the page that stands for the directive."""
        self.env.note_reread()  # there may be a new module
        package = importlib.import_module(self.arguments[0])
        inside = [found.name for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
        lines = []
        for name in [package.__name__, *(name for name in inside if not name.endswith(".__main__"))]:
            lines += [f"## `{name}`\n", "```{eval-rst}", f".. automodule:: {name}"]
            lines += ["   :members:", "```\n"]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


_CONFIG = Config(
    napoleon_use_param=False, napoleon_use_rtype=False, napoleon_custom_sections=["Phases", "Exceptions"]
)  # types are prose such as "(S, A) float", no references
_SPECIAL = re.compile(r"\||(?<=[ (\[])\*(?=\w+[,)\]])")

_OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")


def _as_numpydoc(app: Sphinx, what: str, name: str, of: Any, options: Any, lines: list[str]) -> None:
    """Read a docstring as numpydoc, in which |A| is no substitution and (S, *P) no emphasis.

    What stands below an attribute is prose: napoleon would take all before its first colon for a type.
    """
    for at, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            lines[at] = _SPECIAL.sub(r"\\\g<0>", line)
    if what not in ("attribute", "data"):
        kind = "method" if what == "property" else what
        lines[:] = NumpyDocstring(lines, _CONFIG, app, kind, name, of, options).lines()


def _as_text(_app: Sphinx, _context: object, lines: list[str]) -> None:
    """Show what can be typed as code: examples of a help text, and options; `runs/*` begins no emphasis."""
    for at, line in enumerate(lines):
        if example := re.fullmatch(r"(\| +)(bnpg .*)", line):
            lines[at] = f"{example[1]}``{example[2]}``"
        elif not line.lstrip().startswith(".."):
            parts = re.split(r"(`[^`]+`)", line)
            parts[::2] = [_OPTION.sub(r"``\g<0>``", part.replace("*", r"\*")) for part in parts[::2]]
            lines[at] = "".join(parts)


def setup(app: Sphinx) -> dict[str, bool]:
    """Name the directives."""
    app.add_directive("messages", Messages)
    app.add_directive("trace-lines", TraceLines)
    app.add_directive("record-line", RecordLine)
    app.add_directive("settings", Settings)
    app.add_directive("modules", Modules)
    app.add_directive("phases", Phases)
    app.connect("autodoc-process-docstring", _as_numpydoc)
    app.connect("sphinx-click-process-description", _as_text)
    app.connect("sphinx-click-process-options", _as_text)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
