"""The advice as one self-contained page, with the graphs drawn."""

from pathlib import Path

from bnpg.advice.advice import Advice, Proposal
from bnpg.advice.document import edges_text, findings, price_text, rounds_text
from bnpg.named_place import write_named
from bnpg.report.dag_drawing import draw_dag
from bnpg.report.numbers import shown
from bnpg.report.page import Page, Section, render_page, render_section


def write_page(advice: Advice, file: Path) -> None:
    """Write the page, whole or not at all."""
    write_named(file, render_page(advice_page(advice)).encode())


def advice_page(advice: Advice) -> Page:
    """Return the advice as a page."""
    game = advice.game
    size = f"{game.agents} agents, {game.states} state{'s' * (game.states > 1)}"
    sections = [_subject(advice), _proposals(advice)]
    return Page(f"Advice on {game.name}", f"{size} · DAG {edges_text(advice.subject)}", sections)


def _subject(advice: Advice) -> Section:
    edges = [
        (f"{parent} → {child}", shown(value), "yes" if present else "no")
        for present, values in ((True, advice.present), (False, advice.missing))
        for (parent, child), value in values
    ]
    return render_section(
        "graph",
        "The graph that was asked about",
        "advice.html.j2",
        dag=draw_dag(advice.subject.dag),
        states={},
        words=findings(advice),
        edges=edges,
    )


def _proposals(advice: Advice) -> Section:
    return render_section(
        "proposals",
        "Graphs to consider",
        "proposals.html.j2",
        proposals=[
            (proposal, draw_dag(proposal.assessment.dag), _facts(proposal)) for proposal in advice.proposals
        ],
        edges_text=edges_text,
    )


def _facts(proposal: Proposal) -> list[tuple[str, str]]:
    found = proposal.assessment
    facts = [
        (
            "price of missing edges",
            "none: the game is additive over it" if found.additive else price_text(found.xi),
        ),
        ("parameters", str(found.parameters)),
        ("messages a step", f"{found.messages}, {found.hops} one after the other"),
        ("τ/λ, the threshold of Theorem D1", "" if found.threshold is None else shown(found.threshold)),
        ("rounds", rounds_text(found) if found.rounds_natural is not None else found.reason or ""),
        ("option", f"--dag {edges_text(found)}"),
    ]
    return [(name, value) for name, value in facts if value]
