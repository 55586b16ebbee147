"""The report of one run: its sections, each of which can also be shown by itself while the run goes on."""

from collections.abc import Sequence

from bnpg_coordinator.experiment import experiment_settings

from bnpg.best_response.unplayed import sentences
from bnpg.certified.words import rounded_down
from bnpg.report.certificate import certificate_view
from bnpg.report.curves import find_mismatch, learning_charts
from bnpg.report.dag_drawing import Worth, draw_dag
from bnpg.report.events import fault_events, observed_events, round_events, standing_faults, time_chart
from bnpg.report.messages import message_view, read_lives
from bnpg.report.numbers import shown, shown_between
from bnpg.report.page import Page, Section, render_section
from bnpg.report.policies import policy_view
from bnpg.report.recorded_run import RecordedRun
from bnpg.report.reproduction import reproduction
from bnpg.report.summary import in_words, tiles
from bnpg.trace.reading import Life
from bnpg_math.dag import Edge


def run_report(run: RecordedRun) -> Page:
    """Return the report of one run."""
    return Page(f"Run {run.name}", subtitle(run), run_sections(run))


def run_sections(run: RecordedRun) -> list[Section]:
    """Return the sections of one run."""
    lives, missing = read_lives(run.folder)
    return [
        summary_section(run),
        certificate_section(run),
        *alone_sections(run),
        curves_section(run),
        team_section(run),
        time_section(run, lives),
        messages_section(lives, missing, run.experiment.mode),
        experiment_section(run),
    ]


def subtitle(run: RecordedRun) -> str:
    """Say in a line what was run."""
    agents = run.dag.agents
    counted = ", ".join(str(states) for states in sorted(set(run.states)) if states)
    seen = f"{counted} state{'s' * (counted != '1')}" if counted else "which see numbers"
    parts = [
        f"{run.identity['game']}: {agents} agent{'s' * (agents > 1)}, {seen}",
        f"DAG {run.experiment.dag}",
        f"{run.experiment.mode} mode",
        f"seed {run.experiment.seed}",
        f"begun {run.identity.get('created', 'at an unknown time')}",
    ]
    return " · ".join(parts)


def summary_section(run: RecordedRun) -> Section:
    """What came out."""
    title = "What came out" if run.over else "So far"
    return render_section("summary", title, "summary.html.j2", tiles=tiles(run), words=in_words(run))


def certificate_section(run: RecordedRun) -> Section:
    """What is proved of the last policy."""
    return render_section(
        "certificate",
        "What is proved",
        "certificate.html.j2",
        view=None if run.certificate is None else certificate_view(run.certificate),
        why=run.why.get("certificate", ""),
    )


def alone_sections(run: RecordedRun) -> list[Section]:
    """What single agents gained when they were trained alone, if somebody asked."""
    found = run.run.best_responses
    if found is None:
        return []
    rows = [
        [
            f"agent {agent['agent']}",
            shown_between(agent["gain"], agent["low"], agent["high"]),
            rounded_down(agent["nash_gap_at_least"]),
            shown(agent["exact_gap"]) if "exact_gap" in agent else "-",
        ]
        for agent in found["agents"]
    ]
    title = "What one agent gains alone"
    cut = sentences(agent.get("nash_gap_at_least_reason") for agent in found["agents"])
    return [render_section("alone", title, "alone.html.j2", rows=rows, found=found, cut=cut)]


def curves_section(run: RecordedRun) -> Section:
    """The learning curves with the bounds."""
    events = round_events(fault_events(run))
    charts = learning_charts(run, find_mismatch(run) if "evaluation" not in run.why else None, events)
    words = [run.why[part] for part in ("evaluation", "returns") if part in run.why]
    return render_section("curves", "Learning", "charts.html.j2", charts=charts, words=words)


def team_section(run: RecordedRun, *, graph: bool = True) -> Section:
    """The DAG and everyone's policy.

    Parameters
    ----------
    run : RecordedRun
    graph : bool
        Whether the DAG is drawn: a live page has it once, with who is up.
    """
    return render_section(
        "team",
        "The team",
        "team.html.j2",
        dag=draw_dag(run.dag, edge_worths(run)) if graph else None,
        states={},
        edges=_edges(run),
        policies=policy_view(run),
        without="No policy is shown: this folder holds no theta that all agents have of one round. Agents on "
        "other hosts keep theirs; --save-policy gathers policy.npz at the end.",
    )


def edge_worths(run: RecordedRun) -> dict[Edge, Worth]:
    """Return what the edges of the last policy are worth, where somebody has measured them."""
    found = run.run.edge_values
    if found is None:
        return {}
    return {
        (entry["parent"], entry["child"]): Worth(
            entry["value"], entry["low"], entry["high"], entry.get("exact")
        )
        for entry in found["edges"]
    }


def _edges(run: RecordedRun) -> dict[str, object] | None:
    """Return a table of what edges are worth, the best first."""
    found = run.run.edge_values
    if found is None:
        return None
    why = {(entry["parent"], entry["child"]): entry.get("exact_reason", "-") for entry in found["edges"]}
    worths = sorted(edge_worths(run).items(), key=lambda entry: -entry[1].value)
    rows = [
        [
            f"{parent} → {child}",
            shown_between(worth.value, worth.low, worth.high),
            why[parent, child] if worth.exact is None else shown(worth.exact),
        ]
        for (parent, child), worth in worths
    ]
    return {"rows": rows, "episodes": found["episodes"]}


def messages_section(lives: list[Life], missing: str, mode: str) -> Section:
    """Who waited for whom, and the messages, step by step; an exact round has no steps."""
    view = message_view(lives, missing)
    title = "Messages of a round" if mode == "exact" else "Messages of a step"
    return render_section("messages", title, "messages.html.j2", view=view)


def time_section(run: RecordedRun, lives: Sequence[Life] = ()) -> Section:
    """How long rounds took, and what was done to the run."""
    events = fault_events(run)
    observed = observed_events(lives)
    return render_section(
        "time",
        "Time and faults",
        "time.html.j2",
        chart=time_chart(run, [*events, *observed]),
        plan=run.plan,
        events=events,
        observed=observed,
        standing=[] if run.plan is None else standing_faults(run.plan),
        counters=_counters(run),
        shown=shown,
    )


def experiment_section(run: RecordedRun) -> Section:
    """What was run, and how to run it again."""
    fields = [
        (setting.key, str(getattr(run.experiment, setting.name)), setting.meaning(str, str))
        for setting in experiment_settings(type(run.experiment))
    ]
    return render_section(
        "experiment", "The experiment", "experiment.html.j2", again=reproduction(run), fields=fields
    )


def _counters(run: RecordedRun) -> str:
    """Say what the links of the coordinator went through."""
    status = run.status
    if status is None:
        return ""
    lives = {agent: state["incarnation"] for agent, state in status.get("agents", {}).items()}
    returned = [f"agent {agent} ({lives[agent] - 1} times)" for agent in lives if lives[agent] > 1]
    sentences = [
        f"The coordinator sent {status.get('retransmitted', 0)} messages again, took in "
        f"{status.get('duplicates', 0)} twice and refused {sum(status.get('refused', {}).values())}."
    ]
    if status.get("generation", 1) > 1:
        sentences.append(f"The coordinator was started {status['generation']} times.")
    sentences.append(f"Came back: {', '.join(returned)}." if returned else "No agent died.")
    return " ".join(sentences)
