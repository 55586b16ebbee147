"""`--relay`: what is refused, what is said, and that it may change when a run goes on."""

import json
from pathlib import Path

import pytest

GAME = "random(agents=3, states=2, actions=2, branching=2)"
TRAIN = ("train", GAME, "--dag", "complete", "--rounds", "3", "--lanes", "2", "--horizon", "2", "--no-fsync")
CUT = '[[drop]]\nfrom = "agent-0"\nto = "agent-2"\nprobability = 0.3\n'


def plan(text: str) -> str:
    Path("plan.toml").write_text(text)
    return "plan.toml"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (CUT, r"\[\[drop\]\] 1"),
        ('[[delay]]\nfrom = "agent-2"\nto = "agent-0"\nseconds = 1.0\n', r"\[\[delay\]\] 1"),
        ('[[partition]]\ngroups = [["agent-0"], ["agent-2"]]\nround = 1\nseconds = 1.0\n', r"\[\[partition"),
    ],
)
def test_a_fault_of_a_link_that_a_relay_does_without_is_refused_in_one_line(
    run, text: str, what: str
) -> None:
    ended = run(*TRAIN, "--relay", "on", "--launcher", "memory", "--faults", plan(text), "--out", "a")
    (line,) = ended.err.splitlines()
    assert ended.code == 2
    for part in (
        what.replace("\\", ""),
        "agent-0 -> agent-1, agent-1 -> agent-2",
        "got only agent-0 -> agent-2",
    ):
        assert part in line
    assert not Path("a").exists()
    assert run(*TRAIN, "--launcher", "memory", "--faults", "plan.toml", "--out", "a").code == 0


@pytest.mark.parametrize(
    "text",
    [
        "[[drop]]\nprobability = 0.1\n",
        '[[drop]]\nfrom = "agent-0"\nprobability = 0.1\n',
        '[[drop]]\nfrom = "agent-1"\nto = "agent-2"\nmessages = ["ActionsChosen"]\nprobability = 0.5\n',
        '[[drop]]\nfrom = "agent-7"\nto = "agent-8"\n',
        '[[partition]]\ngroups = [["agent-0"], ["agent-1", "agent-2"]]\nround = 1\nseconds = 1.0\n',
    ],
)
def test_faults_of_links_that_are_there_strike_and_change_nothing(run, text: str) -> None:
    options = ("--launcher", "memory", "--save-policy", "--json")
    struck = run(*TRAIN, *options, "--relay", "on", "--faults", plan(text), "--out", "a")
    whole = run(*TRAIN, *options, "--out", "b")
    assert (struck.code, whole.code) == (0, 0), struck.err
    assert json.loads(struck.out)["policy_digest"] == json.loads(whole.out)["policy_digest"]


def test_a_run_may_go_on_with_a_relay_or_without(run) -> None:
    options = ("--launcher", "memory", "--save-policy", "--quiet")
    full = plan('[[exhaust]]\nprocess = "agent-1"\nphase = "storing"\nround = 1\nof = "disk"\n')
    assert run(*TRAIN, *options, "--faults", full, "--out", "a").code == 7
    assert run("resume", "a", "--relay", "on", "--quiet").code == 0
    assert run(*TRAIN, *options, "--out", "b").code == 0
    assert Path("a/policy.npz").read_bytes() == Path("b/policy.npz").read_bytes()
    assert Path("a/metrics.jsonl").read_text().count("\n") == Path("b/metrics.jsonl").read_text().count("\n")


def test_steps_with_a_relay_are_done_by_the_core_that_does_those_without(run) -> None:
    told = [
        json.loads(run(*TRAIN, "--json", "--save-policy", "--relay", relay, "--out", relay).out)
        for relay in ("on", "off")
    ]
    assert told[0]["core"] == told[1]["core"]
    assert told[0]["policy_digest"] == told[1]["policy_digest"]


def test_a_plan_is_refused_too_when_the_relay_comes_later(run) -> None:
    text = CUT + '[[exhaust]]\nprocess = "agent-1"\nphase = "storing"\nround = 1\nof = "disk"\n'
    assert run(*TRAIN, "--launcher", "memory", "--faults", plan(text), "--out", "a").code == 7
    ended = run("resume", "a", "--relay", "on", "--quiet")
    assert ended.code == 2
    assert ended.err.splitlines()[-1].startswith(
        "bnpg: error: a/faults.toml: [[drop]] 1 must be about a link"
    )


def test_a_run_that_would_save_most_of_its_messages_says_so_once(run) -> None:
    large = ("train", "coordination(agents=9)", "--dag", "complete", "--rounds", "1", "--lanes", "1")
    large += ("--horizon", "2", "--evaluate-every", "0", "--no-fsync")
    hint = "a step takes 54 messages; with --relay on"
    said = run(*large, "--out", "a")
    assert said.code == 0
    assert said.err.count(hint) == 1
    for number, more in enumerate(
        (("--relay", "on"), ("--launcher", "memory"), ("--dag", "line"), ("--quiet",))
    ):
        assert hint not in run(*large, *more, "--out", f"b{number}").err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[kill]]\nprocess = "agent-9"\nphase = "sending"\n', "[[kill]] 1 is about agent-9"),
        (
            '[[delay]]\nfrom = "agent-?0"\nto = "coordinator"\nseconds = 0.0\n',
            "[[delay]] 1 is about agent-?0",
        ),
        ('[[partition]]\ngroups = [["agent-0"], ["agent-4*"]]\nround = 0\nseconds = 0.0\n', "agent-4*"),
    ],
)
def test_a_fault_of_nobody_is_told_and_hinders_nothing(run, text: str, said: str) -> None:
    struck = run(*TRAIN, "--launcher", "memory", "--faults", plan(text), "--out", "a")
    assert struck.code == 0
    assert f"{said}" in struck.err
    assert "and the run has coordinator and agent-0 to agent-" in struck.err
    everybody = plan('[[delay]]\nfrom = "agent-*"\nto = "coordinator"\nseconds = 0.0\n')
    assert "is about" not in run(*TRAIN, "--launcher", "memory", "--faults", everybody, "--out", "b").err
