"""Those who watch a process hear the truth about it, and cannot disturb it."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import numpy as np
import pytest
from bnpg_protocol.process import telemetry as module
from bnpg_protocol.process.telemetry import Telemetry
from bnpg_protocol.wire.errors import InsecureSetup
from bnpg_protocol.wire.links import Passage
from bnpg_protocol.wire.messages import SignalBroadcast, StatesAnnounced

SNAPSHOT = {
    "process": "bnpg-coordinator",
    "phase": "running",
    "round": 3,
    "rounds": 10,
    "step": 2,
    "waiting_for": "the actions of agent 1",
    "agents": {"0": {"heard_seconds_ago": 0.1, "round": 3}, "1": {"heard_seconds_ago": 7.5, "round": 2}},
    "retransmitted": 4,
    "refused": {"malformed": 5},
    "turned_away": {"key not allowed": 6},
    "bytes_sent": 1000,
}


@pytest.fixture
def watched() -> Iterator[Telemetry]:
    it = Telemetry("127.0.0.1:0", lambda told: "it is ill" if told.get("phase") == "ill" else "")
    yield it
    it.close()


def get(watched: Telemetry, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{watched.address}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_metrics_are_the_latest_snapshot_and_line(watched: Telemetry) -> None:
    watched.turn(time.monotonic(), lambda: SNAPSHOT)
    watched.line({"round": 2, "value": 1.5, "nash_gap": 0.25, "seconds": 0.1})
    code, text = get(watched, "/metrics")
    assert code == 200
    for line in (
        "bnpg_round 3.0",
        "bnpg_value 1.5",
        "bnpg_nash_gap 0.25",
        "bnpg_retransmitted_total 4.0",
        'bnpg_refused_total{reason="malformed"} 5.0',
        'bnpg_turned_away_total{reason="key not allowed"} 6.0',
        'bnpg_agent_heard_seconds_ago{agent="1"} 7.5',
        "bnpg_bytes_sent_total 1000.0",
    ):
        assert line in text.splitlines()


def test_how_networks_learn_is_among_the_metrics(watched: Telemetry) -> None:
    signals = {"kl": 0.25, "clip_share": 0.5, "entropy": 1.5, "explained_variance": 0.75}
    watched.line({"round": 2, **signals})
    watched.line({"round": 3, "kl": None, "entropy": 1.25})  # the last that is known stays
    lines = get(watched, "/metrics")[1].splitlines()
    assert [f"bnpg_{name} {value}" in lines for name, value in (signals | {"entropy": 1.25}).items()] == [
        True
    ] * 4


def test_a_step_is_timed_from_states_to_states_or_signal(watched: Telemetry) -> None:
    states = StatesAnnounced(0, 0, 0, 0, np.zeros(1, dtype=np.uint8))
    signal = SignalBroadcast(0, np.zeros(1))
    for message in (states, states, signal, states, signal):
        for agent in (0, 1):
            watched.observe(Passage("send", agent, 1, 1, message))
    # Three steps, each counted once however many agents there are; the pause between rounds is no step.
    assert "bnpg_step_seconds_count 3.0" in get(watched, "/metrics")[1]


def test_health_is_503_with_the_reason(watched: Telemetry) -> None:
    watched.turn(time.monotonic(), lambda: SNAPSHOT)
    code, text = get(watched, "/health")
    assert code == 200
    assert json.loads(text)["waiting_for"] == "the actions of agent 1"
    watched.turn(time.monotonic() + module.PUBLISH_EVERY, lambda: {"phase": "ill"})
    code, text = get(watched, "/health")
    assert (code, json.loads(text)["wrong"]) == (503, "it is ill")
    watched.ended()
    assert get(watched, "/health")[0] == 200


def test_a_loop_that_hangs_is_not_healthy(watched: Telemetry) -> None:
    watched.turn(time.monotonic() - module.HANGS_AFTER - 1, lambda: SNAPSHOT)
    code, text = get(watched, "/health")
    assert code == 503
    assert "has not turned" in json.loads(text)["wrong"]


def test_a_snapshot_is_taken_now_and_then_only(watched: Telemetry) -> None:
    taken = []
    for turn in range(100):
        watched.turn(turn * module.PUBLISH_EVERY / 10, lambda: taken.append(1) or {})
    assert len(taken) == 10


def test_other_paths_are_not_there(watched: Telemetry) -> None:
    assert get(watched, "/../../etc/passwd")[0] == 404


@pytest.mark.parametrize("listen", ["9000", "host:9000", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:x"])
def test_what_is_no_address_is_said_so(listen: str) -> None:
    with pytest.raises(InsecureSetup, match="HOST:PORT"):
        Telemetry(listen)


def test_those_who_say_nothing_give_way_to_those_who_ask(watched: Telemetry) -> None:
    host, _, port = watched.address.rpartition(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(3 * module.READERS)]
    try:
        assert get(watched, "/health")[0] == 200
        silent[0].settimeout(10.0)
        assert silent[0].recv(1) == b"", "who came first has been sent away"
        # Who has been sent away ends in its own time; pytest's timeout is the limit.
        while len(_serving()) > module.READERS + 1:
            _serving()[0].join(0.01)
    finally:
        for one in silent:
            one.close()


def _serving() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if "process_request" in one.name]


def test_it_listens_on_the_next_version_of_the_internet_too() -> None:
    watched = Telemetry("[::1]:0")
    try:
        assert watched.address.startswith("[::1]:")
        assert get(watched, "/health")[0] == 200
    finally:
        watched.close()
