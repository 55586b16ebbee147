"""A folder and an address are watched through everything that may happen to them."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from bnpg_coordinator.line import LEARNING

from bnpg.watch.source import AddressSource, FolderSource, WatchedPage
from bnpg_math.errors import InputError

AGENT = {"incarnation": 1, "heard_seconds_ago": 0.0, "phase": "running", "round": 0, "step": 0}


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever answers may be kept from it by a busy machine."""
    monkeypatch.setattr("bnpg.watch.answers.ANSWER", 60.0)


def html(sight: WatchedPage, name: str) -> str:
    return next(str(section.html) for section in sight.sections if section.name == name)


def test_a_folder_is_shown_from_before_its_first_line_to_its_end(growing: Any) -> None:
    source = FolderSource(growing.folder)
    assert source.page().state == "the run is starting, or all of it lives in one process"
    growing.line(0)
    growing.status()
    seen = source.page()
    assert (seen.well, seen.state) == (True, "live: round 1 of 5")
    assert "Waiting for the actions of agent 1." in html(seen, "now")
    assert 'class="node awaited" data-agent="1"' in html(seen, "now")
    growing.end()
    assert source.page().state == "the run is over"
    assert "The run is over." in html(source.page(), "now")


def test_edges_that_were_measured_afterwards_are_shown_on_an_open_page(growing: Any) -> None:
    source = FolderSource(growing.folder)
    growing.line(5)
    growing.end()
    summary = json.loads((growing.folder / "summary.json").read_text()) | {"policy_digest": "ab"}
    (growing.folder / "summary.json").write_text(json.dumps(summary))
    assert "worth" not in html(source.page(), "now")
    edge = {"parent": 0, "child": 1, "value": 4.0, "low": 3.5, "high": 4.5}
    (growing.folder / "edges.json").write_text(
        json.dumps({"policy_digest": "ab", "episodes": 100, "edges": [edge]})
    )
    seen = source.page()
    assert '<text class="worth"' in html(seen, "now")
    assert "4 (3.5 to 4.5)" in html(seen, "team")


def test_a_coordinator_that_is_gone_is_said_and_its_return_seen(growing: Any) -> None:
    source = FolderSource(growing.folder)
    growing.line(0)
    growing.line(1)
    growing.status(written=0.0)
    seen = source.page()
    assert not seen.well
    assert seen.state.startswith("no word from the coordinator for")
    # It comes back, drops a round and plays it again.
    lines = (growing.folder / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    (growing.folder / "metrics.jsonl").write_bytes(lines[0])
    growing.status(generation=2)
    seen = source.page()
    assert seen.well
    assert "coordinator started <b>2</b> times" in html(seen, "now")


def test_a_folder_that_cannot_be_read_for_a_moment_keeps_its_last_page(growing: Any) -> None:
    source = FolderSource(growing.folder)
    growing.line(0)
    before = source.page()
    identity = (growing.folder / "run.json").read_bytes()
    (growing.folder / "run.json").write_bytes(b"")
    growing.line(1)
    seen = source.page()
    assert not seen.well
    assert "run.json" in seen.state
    assert seen.sections == before.sections
    (growing.folder / "run.json").write_bytes(identity)
    assert source.page().well


@pytest.mark.parametrize("error", [InputError("torn"), FileNotFoundError(2, "gone")])
def test_what_cannot_be_drawn_for_a_moment_keeps_the_last_page(
    growing: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    source = FolderSource(growing.folder)
    growing.line(0)
    before = source.page()

    def fail(*arguments: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr("bnpg.watch.source.edge_worths", fail)
        seen = source.page()
    assert (seen.well, seen.state, seen.sections) == (False, str(error), before.sections)
    assert source.page().well


class Coordinator:
    """What a coordinator with --metrics-listen answers."""

    def __init__(self, port: int) -> None:
        self.status: dict[str, Any] = {}
        self.told = ""
        """In the place of the status, if there is some."""
        self.metrics = ""
        coordinator = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status = self.path == "/status"
                told = coordinator.told or json.dumps(coordinator.status)
                content = told if status else coordinator.metrics
                self.send_response(200)
                self.end_headers()
                self.wfile.write(content.encode())

            def log_message(self, *args: Any) -> None:
                pass

        self.handler = Handler
        self.port = port
        self.start()

    def start(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), self.handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def tell(self, round_: int, value: float, **changes: Any) -> None:
        self.status = {
            "phase": "running", "round": round_, "rounds": 9, "waiting_for": "nobody", "generation": 1,
            "team": 3, "edges": [[0, 2]], "agents": {"0": AGENT, "2": AGENT},
        } | changes  # fmt: skip
        self.metrics = (
            f"# TYPE bnpg_value gauge\nbnpg_value {value}\n"
            "# TYPE bnpg_optimality_gap gauge\nbnpg_optimality_gap 2.5\n"
            "# TYPE bnpg_retransmitted counter\nbnpg_retransmitted_total 4\n"
        )


@pytest.fixture
def coordinator(own_port: int) -> Iterator[Coordinator]:
    made = Coordinator(own_port)
    yield made
    made.stop()


def test_an_address_is_shown_with_curves_from_now_on(coordinator: Coordinator) -> None:
    source = AddressSource(f"127.0.0.1:{coordinator.port}")
    for round_ in range(3):
        coordinator.tell(round_, 1.0 + round_)
        seen = source.page()
    assert (seen.well, seen.state) == (True, "live: round 2 of 9")
    assert "has not joined" in html(seen, "now")
    assert 'id="chart-value"' in html(seen, "curves")
    assert "exact value of the policy goes from 1 to 3" in html(seen, "curves")


def test_how_networks_learn_is_shown_from_afar_too(coordinator: Coordinator) -> None:
    source = AddressSource(f"127.0.0.1:{coordinator.port}")
    for round_, entropy in enumerate((1.0, 0.5)):
        coordinator.tell(round_, 1.0)
        for name, number in (dict.fromkeys(LEARNING, 0.25) | {"entropy": entropy}).items():
            coordinator.metrics += f"# TYPE bnpg_{name} gauge\nbnpg_{name} {number}\n"
        seen = html(source.page(), "curves")
    assert 'id="chart-updates"' in seen
    assert 'id="chart-critic"' in seen
    assert "entropy of the policies, in nats goes from 1 to 0.5" in seen


def test_an_address_that_is_gone_is_asked_again_until_it_is_back(coordinator: Coordinator) -> None:
    source = AddressSource(f"http://127.0.0.1:{coordinator.port}/")
    coordinator.tell(5, 1.0)
    source.page()
    coordinator.stop()
    seen = source.page()
    assert not seen.well
    assert "no answer from 127.0.0.1" in seen.state
    assert 'id="chart-value"' in html(seen, "curves")
    coordinator.start()
    coordinator.tell(3, 0.5, generation=2)
    seen = source.page()
    assert (seen.well, seen.state) == (True, "live: round 3 of 9")
    assert "at 3" not in seen.state


@pytest.mark.parametrize("answer", [[], {"healthy": True}, "text"])
def test_another_server_is_recognised(coordinator: Coordinator, answer: Any) -> None:
    coordinator.status = answer
    coordinator.metrics = ""
    seen = AddressSource(f"127.0.0.1:{coordinator.port}").page()
    assert seen.sections
    if answer:
        assert seen.state.endswith("answers, but is no coordinator of a run")


@pytest.mark.parametrize(
    "told",
    [
        '{"round": "x"}',
        '{"round": -1}',
        '{"round": 1, "agents": []}',
        '{"round": 1, "agents": null}',
        '{"round": 1, "agents": {"0": {}}}',
        '{"round": 1, "agents": {"999999999": ' + json.dumps(AGENT) + "}}",
        '{"round": 1, "team": 1000000000}',
        '{"round": 1, "edges": [[0, 1], [1, 0]]}',
        '{"round": 1, "refused": {"malformed": "often"}}',
        '{"round": 1, "odd": ' + "[" * 100_000 + "]" * 100_000 + "}",
        "<html>",
    ],
    ids=lambda told: told[:40],
)
def test_what_no_coordinator_says_changes_nothing_but_the_state(coordinator: Coordinator, told: str) -> None:
    source = AddressSource(f"127.0.0.1:{coordinator.port}")
    coordinator.tell(2, 1.0)
    before = source.page()
    coordinator.told = told
    seen = source.page()
    assert seen.state.endswith("answers, but is no coordinator of a run")
    assert seen.sections == before.sections


@pytest.mark.parametrize("metrics", ["bnpg_value x\n", "bnpg_value{\n", "# TYPE bnpg_value odd\n", "{} 1\n"])
def test_metrics_that_no_coordinator_gives_are_no_answer(coordinator: Coordinator, metrics: str) -> None:
    source = AddressSource(f"127.0.0.1:{coordinator.port}")
    coordinator.tell(2, 1.0)
    coordinator.metrics = metrics
    assert source.page().state.endswith("answers, but is no coordinator of a run")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"x" * 5000, "more than 1000 bytes"),
        (b"HTTP/1.1 200 OK\r\n", "timed out"),
        (b"SSH-2.0\r\n\r\n", "timed out"),
    ],
)
def test_who_never_ends_an_answer_is_left(monkeypatch: pytest.MonkeyPatch, said: bytes, reason: str) -> None:
    monkeypatch.setattr("bnpg.watch.answers.LARGEST", 1000)
    if reason == "timed out":
        monkeypatch.setattr("bnpg.watch.answers.ANSWER", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        talking = threading.Thread(target=talk, args=(listening, said))
        talking.start()
        seen = AddressSource(f"127.0.0.1:{listening.getsockname()[1]}").page()
        talking.join()
    assert not seen.well
    assert reason in seen.state


def talk(listening: socket.socket, said: bytes) -> None:
    """Say something, and then a byte now and then until nobody listens."""
    reader, _ = listening.accept()
    with reader, suppress(OSError):
        reader.sendall(said)
        while True:
            time.sleep(0.01)
            reader.sendall(b"x")


def test_who_hangs_up_and_what_is_no_address_are_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        source = AddressSource(f"127.0.0.1:{listening.getsockname()[1]}")

        def hang_up() -> None:
            listening.accept()[0].close()

        talking = threading.Thread(target=hang_up)
        talking.start()
        assert "no answer from" in source.page().state
        talking.join()
    assert "no answer from" in AddressSource("127.0.0.1:odd").page().state


def test_the_real_telemetry_of_a_coordinator_is_understood(coordinator: Coordinator) -> None:
    from bnpg_protocol.process.telemetry import Telemetry

    coordinator.tell(4, 2.0)
    telemetry = Telemetry("127.0.0.1:0")
    telemetry.turn(0.0, lambda: coordinator.status)
    telemetry.line(
        {"round": 4, "value": 2.0, "optimality_gap": 1.0, "return_mean": 1.5, "return_stderr": 0.1}
    )
    seen = AddressSource(telemetry.address).page()
    telemetry.close()
    assert seen.state == "live: round 4 of 9"
    assert "1.5 ± 0.1" in html(seen, "summary")
    assert "the best joint policy earns 3" in html(seen, "summary")
