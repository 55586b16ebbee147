"""`bnpg trace check` accepts what happened, and nothing else."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from bnpg_protocol.wire.exit_codes import ExitCode
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bnpg.__main__ import main
from bnpg.report.messages import sequence_html
from bnpg.trace import reading
from bnpg.trace.heads import HEADS_FILE
from bnpg.trace.perfetto import perfetto_json
from bnpg.trace.reading import Life, Violation, read_trace
from bnpg.trace.sequence import sequence, sequence_svg, sequence_text
from bnpg_math.errors import InputError
from tests.trace.conftest import KILLS, Lines, Record, Recorded

Files = dict[str, Lines]
WEIGHTED = ("--dag", "line", "--barrier", "weighted", "--regularization", "0.05")


@pytest.mark.parametrize(
    ("options", "plan", "launcher"),
    [
        ((), "", "memory"),
        (("--mode", "exact"), "", "memory"),
        ((*WEIGHTED, "--mode", "exact", "--step-size", "backtracking"), "", "memory"),
        ((), KILLS, "memory"),
        (("--mode", "exact"), KILLS, "memory"),
        ((), KILLS, "local"),
        (("--transport", "tcp", "--save-policy"), "", "local"),
    ],
)
def test_what_happened_is_accepted(
    record: Record, options: tuple[str, ...], plan: str, launcher: str
) -> None:
    recorded = record(*options, plan=plan, launcher=launcher)
    proof = recorded.check(reference=True)
    assert proof.rounds == 5
    assert proof.updates == 15
    # No action is sent in exact mode, so one of the three deaths does not happen there.
    assert proof.lives == 4 + (0 if not plan else 2 if "exact" in options else 3)


def first(lines: Lines, **wanted: object) -> int:
    """Return the place of the first line with these fields."""
    return next(
        place
        for place, line in enumerate(lines)
        if all(line.get(key) == value for key, value in wanted.items())
    )


def drop_send(files: Files) -> None:
    lines = files["agent-0.1.jsonl"]
    del lines[first(lines, k="send", kind="ActionsChosen", peer="agent-1")]


def drop_receive(files: Files) -> None:
    lines = files["agent-1.1.jsonl"]
    del lines[first(lines, k="receive", kind="ActionsChosen")]


def double_receive(files: Files) -> None:
    lines = files["agent-1.1.jsonl"]
    place = first(lines, k="receive", kind="ActionsChosen")
    lines.insert(place + 1, dict(lines[place]))


def double_send(files: Files) -> None:
    lines = files["coordinator.1.jsonl"]
    place = first(lines, k="send", kind="StatesAnnounced")
    lines.insert(place + 1, dict(lines[place]))


def receive_what_was_never_sent(files: Files) -> None:
    lines = files["agent-1.1.jsonl"]
    lines[first(lines, k="receive", kind="ActionsChosen")]["p"] = "00000000"


def act_before_a_parent(files: Files) -> None:
    lines = files["agent-1.1.jsonl"]
    act, heard = first(lines, k="act"), first(lines, k="receive", kind="ActionsChosen")
    lines.insert(min(heard, act), lines.pop(act))


def act_before_the_states(files: Files) -> None:
    lines = files["agent-0.1.jsonl"]
    act, heard = first(lines, k="act"), first(lines, k="receive", kind="StatesAnnounced")
    lines.insert(heard, lines.pop(act))


def act_twice(files: Files) -> None:
    lines = files["agent-0.1.jsonl"]
    place = first(lines, k="act")
    lines.insert(place + 1, dict(lines[place]))


def drop_act(files: Files) -> None:
    lines = files["agent-0.1.jsonl"]
    del lines[first(lines, k="act")]


def apply_twice(files: Files) -> None:
    lines = files["agent-2.1.jsonl"]
    place = first(lines, k="apply")
    lines.insert(place + 1, dict(lines[place]))


def drop_apply(files: Files) -> None:
    lines = files["agent-2.1.jsonl"]
    del lines[first(lines, k="apply", r=2)]


def swap_applies(files: Files) -> None:
    lines = files["agent-2.1.jsonl"]
    one, other = first(lines, k="apply", r=1), first(lines, k="apply", r=2)
    lines[one], lines[other] = lines[other], lines[one]


def break_the_chain_of_digests(files: Files) -> None:
    lines = files["agent-2.1.jsonl"]
    lines[first(lines, k="apply", r=2)]["before"] = "0" * 32


def come_to_another_theta(files: Files) -> None:
    lines = files["agent-2.1.jsonl"]
    lines[first(lines, k="apply", r=4)]["after"] = "0" * 32


def apply_another_signal(files: Files) -> None:
    lines = files["agent-2.1.jsonl"]
    lines[first(lines, k="apply", r=2)]["p"] = "00000000"


def tell_agents_different_signals(files: Files) -> None:
    for name, kind in (("coordinator.1.jsonl", "send"), ("agent-2.1.jsonl", "receive")):
        lines = files[name]
        wanted = {"k": kind, "kind": "SignalBroadcast", "r": 1}
        if kind == "send":
            wanted["peer"] = "agent-2"
        lines[first(lines, **wanted)]["p"] = "00000000"


def announce_before_everybody_has_acted(files: Files) -> None:
    lines = files["coordinator.1.jsonl"]
    states = first(lines, k="send", kind="StatesAnnounced", r=0, s=1)
    heard = first(lines, k="receive", kind="ActionsChosen", r=0, s=0)
    lines.insert(heard, lines.pop(states))


def reverse_two_messages_of_a_link(files: Files) -> None:
    lines = files["agent-0.1.jsonl"]
    one = first(lines, k="send", kind="ActionsChosen", peer="coordinator", s=0)
    other = first(lines, k="send", kind="ActionsChosen", peer="coordinator", s=1)
    lines[one], lines[other] = lines[other], lines[one]


def remove_a_process(files: Files) -> None:
    del files["agent-1.1.jsonl"]


def cut_the_tail(files: Files) -> None:
    files["agent-1.1.jsonl"] = files["agent-1.1.jsonl"][:-4]


def cut_the_head(files: Files) -> None:
    del files["agent-1.1.jsonl"][1]


def mix_in_another_run(files: Files) -> None:
    files["agent-1.1.jsonl"][0]["run"] = "another"


def turn_back_the_lamport_clock(files: Files) -> None:
    lines = files["agent-0.1.jsonl"]
    lines[first(lines, k="send", kind="ActionsChosen", s=1)]["lamport"] = 1


def swap_two_receives(files: Files) -> None:
    """Of two parents: whichever came first, both orders would do; but only one of them happened."""
    lines = files["agent-1.1.jsonl"]
    heard = [
        place
        for place, line in enumerate(lines)
        if line.get("kind") == "ActionsChosen" and line["k"] == "receive"
    ]
    one = next(at for at, after in pairwise(heard) if after == at + 1)
    lines[one], lines[one + 1] = lines[one + 1], lines[one]


def enter_with_another_life(files: Files) -> None:
    lines = files["agent-1.1.jsonl"]
    lines[first(lines, k="epoch")]["neighbours"]["agent-0"] = 7


def restore_another_theta(files: Files) -> None:
    files["agent-2.1.jsonl"][0]["held"]["0"] = "0" * 32


def conclude_too_early(files: Files) -> None:
    lines = files["coordinator.1.jsonl"]
    lines[first(lines, k="conclude")]["rounds"] = 4


def forget_a_farewell(files: Files) -> None:
    lines = files["coordinator.1.jsonl"]
    farewells = [place for place, line in enumerate(lines) if line.get("kind") == "Farewell"]
    del lines[farewells[-1]]


def say_too_much(files: Files) -> None:
    files["agent-0.1.jsonl"][5]["more"] = 1


def fail_in_the_end(files: Files) -> None:
    files["agent-1.1.jsonl"][-1]["code"] = 6


TAMPERINGS: list[tuple[Callable[[Files], None], str]] = [
    (drop_send, r"a send has number 3 on its link, but there is no 2"),
    (drop_receive, r"a receive has number 3 on its link, but there is no 2"),
    (double_receive, r"a receive has the number 2 of another on its link"),
    (double_send, r"a send has the number 4 of another on its link"),
    (receive_what_was_never_sent, r"received with another payload than it was sent with"),
    (act_before_a_parent, r"agent-1 acts at round 0, turn 0 before it has the actions of agent-0"),
    (act_before_the_states, r"agent-0 acts at round 0, turn 0 before it has the states"),
    (act_twice, r"agent-0 acts twice at round 0, turn 0"),
    (drop_act, r"agent-0 sends ActionsChosen of round 0, turn 0 before it has drawn them"),
    (apply_twice, r"agent-2 applies update 0 twice"),
    (drop_apply, r"agent-2 sends SignalApplied of round 2 before it has applied it"),
    (swap_applies, r"agent-2 applies update 2 before it has the signal"),
    (break_the_chain_of_digests, r"agent-2 has two different thetas of round 2"),
    (come_to_another_theta, r"agent-2 reports another theta than it has"),
    (apply_another_signal, r"agent-2 applies update 2 from another signal than it received"),
    (tell_agents_different_signals, r"agent-2 applies update 1 from another signal|two different things"),
    (announce_before_everybody_has_acted, r"coordinator sends StatesAnnounced of round 0, turn 1 before"),
    (reverse_two_messages_of_a_link, r"a send has number 4 on its link, but there is no 3"),
    (remove_a_process, r"the trace of life 1 of agent-1 is missing"),
    (cut_the_tail, r"the trace of agent-1 has no end, but the run is done"),
    (cut_the_head, r"is in epoch \(0, 0\), but this belongs to \(1, 1\)"),
    (mix_in_another_run, r"agent-1 belongs to another run"),
    (turn_back_the_lamport_clock, r"received with another Lamport time than it was sent at"),
    (swap_two_receives, r"Lamport time of agent-1|time goes back"),
    (enter_with_another_life, r"life 7 of agent-0 is missing"),
    (restore_another_theta, r"agent-2 has two different thetas of round 0"),
    (conclude_too_early, r"concludes after 4 rounds, but is in round 5"),
    (forget_a_farewell, r"never received what agent-. sent in the last epoch"),
    (say_too_much, r"is no event of a trace: .*unknown field"),
    (fail_in_the_end, r"agent-1 failed, but the run is done"),
]


@pytest.mark.parametrize(
    ("tamper", "violation"), TAMPERINGS, ids=[tamper.__name__ for tamper, _ in TAMPERINGS]
)
def test_a_forged_trace_is_refused_for_what_it_says(
    recorded: Recorded, tamper: Callable[[Files], None], violation: str
) -> None:
    """Hashes and numbers are made anew, and the heads are gone: only the meaning can tell."""
    files = recorded.files()
    tamper(files)
    recorded.forge(files)
    with pytest.raises(Violation, match=violation) as refused:
        recorded.check()
    assert refused.value.events or violation.startswith("is no event"), "the events show it"


def report_another_theta(lines: Lines) -> None:
    lines[first(lines, k="send", kind="SignalApplied", r=2)]["after"] = "0" * 32


def report_no_theta(lines: Lines) -> None:
    del lines[first(lines, k="send", kind="SignalApplied", r=2)]["after"]


def end_with_another_theta(lines: Lines) -> None:
    lines[first(lines, k="apply", r=4)]["after"] = "0" * 32


@pytest.mark.parametrize("tamper", [report_another_theta, report_no_theta, end_with_another_theta])
def test_what_is_reported_beside_a_table_is_the_theta_that_the_agent_has(
    record: Record, tamper: Callable[[Lines], None]
) -> None:
    recorded = record("--mode", "exact")
    files = recorded.files()
    tamper(files["agent-2.1.jsonl"])
    recorded.forge(files)
    with pytest.raises(Violation, match=r"agent-2 reports another theta than it has"):
        recorded.check()


def test_a_trace_that_was_only_copied_is_accepted(recorded: Recorded) -> None:
    recorded.forge(recorded.files())
    recorded.check(reference=True)


def cut_the_coordinator(files: Files, finishes: int) -> None:
    """As if it had been killed after so many of its last messages, before what followed was written."""
    lines = files["coordinator.1.jsonl"]
    places = [
        place for place, line in enumerate(lines) if (line["k"], line.get("kind")) == ("send", "Finish")
    ]
    assert len(places) == 3
    del lines[places[finishes - 1] + 1 :]


def test_a_coordinator_killed_between_its_last_message_and_its_conclusion_is_in_order(
    recorded: Recorded,
) -> None:
    """Its record says that the run is done: nobody has to live once more to conclude it."""
    files = recorded.files()
    cut_the_coordinator(files, 3)
    recorded.forge(files)
    proof = recorded.check(reference=True)
    assert (proof.state, proof.rounds) == ("done", 5)


def test_a_coordinator_that_has_not_sent_all_its_last_messages_is_not_done(recorded: Recorded) -> None:
    files = recorded.files()
    cut_the_coordinator(files, 2)
    recorded.forge(files)
    with pytest.raises(Violation, match=r"the run is done, but the trace of its coordinator ends before"):
        recorded.check()


def test_a_lie_that_everybody_agrees_on_is_found_by_the_reference(recorded: Recorded) -> None:
    """An action that is drawn, sent and received as another one contradicts nobody, but the mathematics."""
    files = recorded.files()
    for name, lines in files.items():
        for line in lines:
            told = line.get("kind", "ActionsChosen") == "ActionsChosen" and (
                line.get("r"),
                line.get("s"),
            ) == (3, 1)
            if told and (
                name.startswith("agent-0") or (line["k"], line.get("peer")) == ("receive", "agent-0")
            ):
                line["p"] = "01234567"
    recorded.forge(files)
    recorded.check()
    with pytest.raises(Violation, match=r"ActionsChosen of agent-0, round 3, turn 1 has the digest 01234567"):
        recorded.check(reference=True)


@given(data=st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_forger_who_renews_numbers_hashes_and_heads_is_found_by_what_the_trace_says(
    kept: Recorded, data: st.DataObject
) -> None:
    """Any event removed, doubled, moved, or changed in any field that says something."""
    files = kept.files()
    name = data.draw(st.sampled_from(sorted(files)))
    lines = files[name]
    place = data.draw(st.integers(0, len(lines) - 1))
    line, what = lines[place], data.draw(st.sampled_from(["remove", "double", "move", "change"]))
    # These say nothing that anything could contradict; the chain and the heads are there for them.
    assume(line["k"] != "bare")
    assume(not (what == "remove" and line["k"] == "end"))  # as if it had been killed after its last word
    match what:
        case "remove":
            del lines[place]
        case "double":
            lines.insert(place, line)
        case "move":
            goal = data.draw(st.integers(0, len(lines) - 1))
            assume(goal != place)
            lines.insert(goal, lines.pop(place))
        case "change":
            field = data.draw(st.sampled_from(sorted(set(line) - {"t", "why"})))
            # What a newcomer holds, nothing or theta_0, is the same: no other file can tell which it said.
            assume((line["k"], field) != ("join", "held"))
            lines[place] = line | {field: _other(line[field])}
    before = {path: path.read_bytes() for path in (kept.folder / "trace").glob("*.jsonl")}
    heads = (kept.folder / "trace-heads.json").read_bytes()
    try:
        kept.forge(files)
        with pytest.raises(Violation):
            kept.check(reference=True)
    finally:
        for path, content in before.items():
            path.write_bytes(content)
        (kept.folder / "trace-heads.json").write_bytes(heads)


def _other(value: object) -> object:
    """Return another value of the same kind."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return ("1" if value[:1] == "0" else "0") + value[1:]
        case dict():
            return {}
        case list():
            return [*value, 1]
        case _:
            return 0


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """A trace to be tampered with again and again; every test puts it back."""
    from bnpg.cli.root import bnpg

    folder = tmp_path_factory.mktemp("kept") / "run"
    game = "random(agents=2, states=2, actions=2, branching=2)"
    arguments = ["train", game, "--rounds", "2", "--lanes", "2", "--horizon", "2", "--trace", "--quiet"]
    bnpg.main([*arguments, "--launcher", "memory", "--out", str(folder)], standalone_mode=False)
    return Recorded(folder)


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_event_removed_doubled_moved_or_changed_is_found(kept: Recorded, data: st.DataObject) -> None:
    """Without the forger's care the chain tells; with it, the heads do."""
    trace = kept.folder / "trace"
    before = {path: path.read_bytes() for path in trace.glob("*.jsonl")}
    heads = (kept.folder / "trace-heads.json").read_bytes()
    name = data.draw(st.sampled_from(sorted(path.name for path in before)))
    careful = data.draw(st.booleans())
    try:
        if careful:
            files = kept.files()
            changed = _change(files[name], data)
            kept.forge(files, keep_heads=True)
        else:
            lines = (trace / name).read_bytes().splitlines(keepends=True)
            changed = _change(lines, data)
            (trace / name).write_bytes(b"".join(lines))
        if changed:
            with pytest.raises(Violation):
                kept.check()
    finally:
        for path, content in before.items():
            path.write_bytes(content)
        (kept.folder / "trace-heads.json").write_bytes(heads)


def _change(lines: list, data: st.DataObject) -> bool:
    """Remove, double, move or change one line; return whether that made a difference."""
    before = list(lines)
    place = data.draw(st.integers(0, len(lines) - 1))
    match data.draw(st.sampled_from(["remove", "double", "move", "change"])):
        case "remove":
            del lines[place]
        case "double":
            lines.insert(place, lines[place])
        case "move":
            lines.insert(data.draw(st.integers(0, len(lines) - 1)), lines.pop(place))
        case "change":
            line = lines[place]
            lines[place] = line.replace(b'"k"', b'"K"', 1) if isinstance(line, bytes) else line | {"t": 1.5}
    return lines != before


def test_the_command_says_what_was_violated_and_shows_the_events(record: Record) -> None:
    recorded = record()
    files = recorded.files()
    act_twice(files)
    recorded.forge(files)
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "bnpg", "trace", "check", str(recorded.folder), "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 5
    said = json.loads(ran.stdout)
    assert "acts twice" in said["violation"]
    assert all("agent-0.1.jsonl:" in event for event in said["events"])
    assert "Traceback" not in ran.stderr


def test_a_trace_that_grows_while_it_is_read_is_not_blamed(
    record: Record, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One file was read before another: what the second received, the first had not sent yet."""
    recorded = record()
    sender = recorded.folder / "trace" / "agent-0.1.jsonl"
    whole = sender.read_bytes()
    sender.write_bytes(whole[: whole.index(b"\n", len(whole) // 2) + 1])

    def early(folder: Path) -> list[Life]:
        lives = read_trace(folder)
        sender.write_bytes(whole)
        return lives

    monkeypatch.setattr(reading, "read_trace", early)
    (recorded.folder / HEADS_FILE).unlink()
    assert main(["trace", "check", str(recorded.folder)]) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert said == f"bnpg: error: {recorded.folder} is being written: check it when the run is over\n"


def test_another_experiment_is_not_the_reference(record: Record) -> None:
    recorded = record()
    experiment = recorded.folder / "experiment.toml"
    experiment.write_text(experiment.read_text().replace("seed = 0\n", "seed = 1\n"))
    recorded.check()
    with pytest.raises(Violation, match=r"another run|in memory it comes to"):
        recorded.check(reference=True)


def test_no_trace_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder with a trace"):
        read_trace(tmp_path / "trace")


def test_a_round_is_drawn_in_every_form(record: Record) -> None:
    lives = read_trace(record(plan=KILLS).folder / "trace")
    drawn = sequence(lives, 1, 0)
    assert drawn.processes == ("coordinator", "agent-0", "agent-1", "agent-2")
    assert len(drawn.arrows) == 8  # three announcements, two actions of parents, three to the coordinator
    assert all(send < receive for send, receive in drawn.arrows)
    assert len(drawn.events) - 1 in drawn.critical
    assert all(
        text in sequence_html(drawn) for text in (drawn.title, "critical path", "<svg", "-&gt; agent-1")
    )
    assert sequence_svg(drawn).count('class="message"') == 8
    assert len(sequence_text(drawn).splitlines()) == len(drawn.events) + 4


def test_a_turn_is_shown_by_that_name_and_by_its_older_one(
    record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(record().folder)
    capsys.readouterr()  # what the run said
    shown = []
    for word in ("--turn", "--step"):
        assert main(["trace", "show", folder, "--round", "1", word, "1"]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]
    assert "turn 1" in shown[0]


def test_a_round_that_is_not_there_says_which_are(record: Record) -> None:
    lives = read_trace(record().folder / "trace")
    with pytest.raises(InputError, match=r"rounds 0\.\.5, not round 9"):
        sequence(lives, 9, None)
    with pytest.raises(InputError, match=r"turns 0\.\.1, not turn 7"):
        sequence(lives, 1, 7)


def test_files_that_contradict_each_other_are_not_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ways = [
        ("coordination(agents=3)", "--mode", "exact", "--dag", "complete", "--rounds", "2"),
        ("climbing", "--rounds", "2"),
    ]
    runs = [tmp_path / name for name in ("one", "other")]
    for folder, way in zip(runs, ways, strict=True):
        words = ["train", *way, "--launcher", "memory", "--trace", "--out", str(folder), "--quiet"]
        assert main(words) == 0
    shutil.copy(runs[1] / "trace" / "agent-1.1.jsonl", runs[0] / "trace")
    capsys.readouterr()  # what the runs said
    assert main(["trace", "show", str(runs[0])]) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert said.startswith("bnpg: error: the files of the trace contradict each other: ")
    assert said.count("\n") == 1


def test_a_report_says_that_files_contradict_each_other(recorded: Recorded) -> None:
    files = recorded.files()
    lines = files["coordinator.1.jsonl"]
    answer = first(lines, k="receive", peer="agent-0", r=1, s=0)
    lines.insert(answer, lines.pop(first(lines, k="send", peer="agent-0", r=1, s=0)))
    recorded.forge(files)
    assert main(["report", str(recorded.folder)]) == 0
    page = (recorded.folder / "report.html").read_text()
    assert "The trace cannot be shown: the files of the trace contradict each other" in page


def test_a_message_that_was_sent_twice_is_drawn_once(recorded: Recorded) -> None:
    files = recorded.files()
    lines = files["coordinator.1.jsonl"]
    answer = first(lines, k="receive", peer="agent-0", r=1, s=0)
    lines.insert(answer + 1, lines[first(lines, k="send", peer="agent-0", r=1, s=0)])
    recorded.forge(files)
    drawn = sequence(read_trace(recorded.folder / "trace"), 1, 0)
    assert all(send < receive for send, receive in drawn.arrows)


def test_perfetto_gets_a_track_a_life_and_an_arrow_a_message(record: Record) -> None:
    lives = read_trace(record().folder / "trace")
    entries = json.loads(perfetto_json(lives))["traceEvents"]
    assert sum(entry["ph"] == "M" for entry in entries) == 4
    begins = {entry["id"] for entry in entries if entry["ph"] == "s"}
    ends = {entry["id"] for entry in entries if entry["ph"] == "f"}
    assert ends <= begins
    assert ends
