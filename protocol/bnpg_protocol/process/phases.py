"""Phases of a machine as data: what each message does in each phase, and where it may lead.

A machine is written around its table: what is not in it is refused, and a phase that it does not lead to
cannot be entered. The diagrams in the documents are drawn from it.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from bnpg_protocol.wire.messages import Message

Sender = Literal["coordinator", "parent", "child", "agent"]


class Rule(NamedTuple):
    """What a message does in a phase."""

    sender: Sender
    """Who may say it."""
    method: str
    """Method of the machine that takes it in."""
    leads: tuple[str, ...] = ()
    """Phases it may lead to; empty if it leads nowhere else."""


class Phase(NamedTuple):
    """One phase of a machine."""

    meaning: str
    rules: Mapping[type[Message], Rule]
    otherwise: tuple[str, ...] = ()
    """Phases that time, an error or the shell may lead to."""

    @property
    def leads(self) -> frozenset[str]:
        """All phases that may follow."""
        return frozenset(self.otherwise).union(*(rule.leads for rule in self.rules.values()))


Phases = Mapping[str, Phase]


def drawn(phases: Phases) -> str:
    """Return a diagram of a machine's phases as text: each with where it leads, and by what."""
    lines: list[str] = []
    for name, phase in phases.items():
        lines.append(name)
        arrows: dict[str, list[str]] = {}
        for kind, rule in phase.rules.items():
            for then in rule.leads:
                arrows.setdefault(then, []).append(kind.__name__)
        for then in phase.otherwise:
            arrows.setdefault(then, []).append("(time, an error, or the shell)")
        width = max((len(", ".join(by)) for by in arrows.values()), default=0)
        for then, by in arrows.items():
            lines.append(f"    {', '.join(by):<{width}}  -> {then}")
    return "\n".join(lines)
