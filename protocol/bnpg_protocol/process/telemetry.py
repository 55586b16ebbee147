"""What a process tells those who watch it: `/metrics` for Prometheus and `/health`, over HTTP.

Imported only by a process that was asked for it. The work loop publishes a snapshot now and then; a thread of
its own answers with the latest one. So no request delays a round, and a loop that hangs is seen from outside.
"""

import json
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from bnpg_protocol.process.descriptors import in_use, limit
from bnpg_protocol.process.security.endpoints import host_and_port
from bnpg_protocol.wire.errors import InsecureSetup
from bnpg_protocol.wire.events import Event, Passage
from bnpg_protocol.wire.messages import ObservationsAnnounced, SignalBroadcast, StatesAnnounced

PUBLISH_EVERY = 0.5
"""Seconds between two snapshots."""
HANGS_AFTER = 30.0
"""Seconds without a turn of the work loop after which a process is not healthy: evaluations take a while."""
READERS = 32
"""Connections that are answered at once; whoever came first gives way to one more."""
STEP_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)

_GAUGES = {
    "round": "Round the run is in.",
    "rounds": "Rounds the run will have.",
    "step": "Step of the round.",
    "epoch": "Membership epoch.",
    "generation": "Starts of the coordinator.",
    "incarnation": "Starts of this agent.",
    "members": "Agents that have joined.",
    "value": "Exact value V of the policy last evaluated.",
    "nash_gap": "Nash gap of the policy last evaluated.",
    "optimality_gap": "Optimality gap of the policy last evaluated.",
    "objective": "Objective L of the policy last evaluated.",
    "gradient_norm": "Norm of the exact gradient last evaluated.",
    "return_mean": "Mean return of the last sampled round.",
    "return_stderr": "Its standard error.",
    "kl": "KL divergence of the last update of networks, a mean over agents.",
    "clip_share": "Share of the steps whose ratio of probabilities lay outside of the clip.",
    "entropy": "Entropy of the networks, in nats.",
    "explained_variance": "Share of the variance of returns that the critic explains.",
}
_COUNTERS = {
    "retransmitted": "Messages sent again.",
    "duplicates": "Messages that arrived again.",
    "times_full": "Times there was no room for more connections.",
    "lost": "Messages the transport could not send.",
    "bytes_sent": "Bytes handed to ZeroMQ.",
    "bytes_received": "Bytes taken from ZeroMQ.",
}
_REASONS = {
    "refused": "Messages refused, by reason.",
    "turned_away": "Connections refused, by reason.",
}
_PER_AGENT = {
    "heard_seconds_ago": "Seconds since an agent was last heard.",
    "round": "Round an agent said it is in.",
}


class Telemetry:
    """The watched side of one process.

    Parameters
    ----------
    listen : str
        `HOST:PORT`; port 0 picks one.
    healthy
        Called with a snapshot; returns what is wrong with the process, or the empty text.

    Raises
    ------
    InsecureSetup
        If that address cannot be listened on.
    """

    def __init__(self, listen: str, healthy: Callable[[dict[str, Any]], str] = lambda _snapshot: "") -> None:
        host, port = host_and_port(listen, "--metrics-listen")
        self._healthy = healthy
        self._snapshot: dict[str, Any] = {}
        self._line: dict[str, Any] = {}
        self._turned_at = time.monotonic()
        self._publish_at = 0.0
        self._ended = False
        self._step_began: float | None = None
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._steps = Histogram(
            "bnpg_step_seconds",
            "Time from announcing the states of a step to announcing the next.",
            buckets=STEP_BUCKETS,
            registry=self._registry,
        )
        try:
            self._server = _Server((host, port), self._handler())
        except OSError as error:
            raise InsecureSetup(f"--metrics-listen {listen}: {error.strerror}") from None
        Thread(target=self._server.serve_forever, name="telemetry", daemon=True).start()

    @property
    def address(self) -> str:
        """Where it listens."""
        host, port = self._server.server_address[:2]
        return f"[{host!s}]:{port}" if ":" in str(host) else f"{host!s}:{port}"

    def turn(self, now: float, snapshot: Callable[[], dict[str, Any]]) -> None:
        """Note a turn of the work loop, and publish a snapshot if it is time to."""
        self._turned_at = now
        if now >= self._publish_at:
            self._publish_at = now + PUBLISH_EVERY
            self._snapshot = snapshot()

    def line(self, line: dict[str, Any]) -> None:
        """Take in a line of the run record: values and gaps."""
        known = {key: line[key] for key in _GAUGES if isinstance(line.get(key), (int, float))}
        self._line = self._line | known

    def observe(self, passage: Event) -> None:
        """Take the time of a step from the messages that begin and end it."""
        if not isinstance(passage, Passage) or passage.direction != "send" or passage.peer != 0:
            return
        if isinstance(passage.message, (StatesAnnounced, ObservationsAnnounced, SignalBroadcast)):
            now = time.monotonic()
            if self._step_began is not None:
                self._steps.observe(now - self._step_began)
            self._step_began = None if isinstance(passage.message, SignalBroadcast) else now

    def ended(self) -> None:
        """Note that the work is done: no turn is expected any more."""
        self._ended = True

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def collect(self) -> Iterator[Metric]:
        """Return the latest snapshot as metrics; called by the registry."""
        snapshot = self._snapshot
        flat = self._line | snapshot
        for key, meaning in _GAUGES.items():
            if isinstance(flat.get(key), (int, float)):
                yield GaugeMetricFamily(f"bnpg_{key}", meaning, flat[key])
        for key, meaning in _COUNTERS.items():
            if key in snapshot:
                yield CounterMetricFamily(f"bnpg_{key}", meaning, snapshot[key])
        for key, meaning in _REASONS.items():
            by_reason = CounterMetricFamily(f"bnpg_{key}", meaning, labels=["reason"])
            for reason, count in snapshot.get(key, {}).items():
                by_reason.add_metric([reason], count)
            yield by_reason
        for key, meaning in _PER_AGENT.items():
            by_agent = GaugeMetricFamily(f"bnpg_agent_{key}", meaning, labels=["agent"])
            for agent, state in snapshot.get("agents", {}).items():
                by_agent.add_metric([agent], state[key])
            yield by_agent

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Return whether the process is well, and what it is doing."""
        since = time.monotonic() - self._turned_at
        wrong = "" if self._ended else self._healthy(self._snapshot)
        if not self._ended and since > HANGS_AFTER:
            wrong = f"the work loop has not turned for {since:.0f} s"
        status = {
            key: self._snapshot[key]
            for key in ("process", "phase", "round", "rounds", "step", "waiting_for")
            if key in self._snapshot
        }
        return not wrong, {"healthy": not wrong, "wrong": wrong} | status

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        telemetry = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10.0

            def do_GET(self) -> None:
                path = self.path.split("?")[0]
                if path == "/metrics":
                    self._answer(200, CONTENT_TYPE_LATEST, generate_latest(telemetry._registry))
                elif path == "/health":
                    well, health = telemetry.health()
                    self._answer(200 if well else 503, "application/json", json.dumps(health).encode())
                elif path == "/status":
                    content = json.dumps(telemetry._snapshot, default=str).encode()
                    self._answer(200, "application/json", content)
                else:
                    self._answer(404, "text/plain", b"/metrics, /health or /status\n")

            def _answer(self, code: int, kind: str, content: bytes) -> None:
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Requests are no events of the run."""

        return Handler


class _Server(ThreadingHTTPServer):
    """Answers a bounded number of connections at once.

    A request takes a moment, so who has been there longest says nothing, or does so one byte after the other.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._readers: OrderedDict[int, socket.socket] = OrderedDict()
        self._lock = Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own; make room first."""
        with self._lock:
            if len(self._readers) >= READERS:
                _, first = self._readers.popitem(last=False)
                with suppress(OSError):
                    first.shutdown(socket.SHUT_RDWR)
            self._readers[id(request)] = request
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        with self._lock:
            self._readers.pop(id(request), None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave it at that: a reader that is gone is no event of the run."""

    def service_actions(self) -> None:
        """Leave the processor to others while nobody can be let in: there is no descriptor left."""
        if in_use() >= limit():
            time.sleep(0.1)
