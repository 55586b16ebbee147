"""Keys: made once, readable by their owner only, never told to anybody, replaced while the run goes on."""

import os
import shutil
import signal
import stat
import time
from pathlib import Path
from types import SimpleNamespace
from urllib.request import urlopen

import pytest
from bnpg_agents.checkpoint import load_latest
from bnpg_protocol.process.security.admission import Admission
from bnpg_protocol.process.security.endpoints import host_and_port, leaves_machine, require_key
from bnpg_protocol.process.security.keys import KeyFile, read_key_file, write_key_file
from bnpg_protocol.process.security.quarantine import FIRST, FULL, Quarantine
from bnpg_protocol.process.security.roster import read_enrolled, read_roster
from bnpg_protocol.process.transport import curve
from bnpg_protocol.process.transport.curve import Trouble, new_key_pair
from bnpg_protocol.wire.addresses import UNASSIGNED
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.errors import InsecureSetup
from bnpg_protocol.wire.messages import Beacon, Hello
from zmq.utils import z85

from bnpg.__main__ import main

HELLO = Hello((2,), UNASSIGNED, "ipc://x", (), "", "")


def spoken(sender: int, message=None) -> Envelope:
    return Envelope("run", 1, 1, sender, 1, 1, 0, 1, message or Beacon("running", 0, 0, ()))


def test_new_keys_are_readable_by_their_owner_only(secured) -> None:
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in secured.keys.iterdir()}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(secured.keys.stat().st_mode) == 0o700
    assert set(modes) == {"coordinator.key", "roster.toml", *(f"agent-{agent}.key" for agent in range(4))}
    roster = read_roster(secured.keys / "roster.toml")
    assert roster.agents == {str(agent): secured.key(agent).public for agent in range(4)}
    assert secured.bnpg("keys", "check", str(secured.keys)).returncode == 0


def test_keys_are_never_overwritten(secured) -> None:
    before = {file.name: file.read_bytes() for file in secured.keys.iterdir()}
    again = secured.bnpg("keys", "new", str(secured.keys), "--agents", "2")
    assert again.returncode == 2
    assert "never overwritten" in again.stderr
    assert {file.name: file.read_bytes() for file in secured.keys.iterdir()} == before
    assert secured.bnpg("keys", "new", str(secured.keys), "--agents", "2", "--keep").returncode == 0
    assert {file.name: file.read_bytes() for file in secured.keys.iterdir()} == before


def test_keys_are_made_for_no_more_agents_than_an_enrolment_folder_holds(tmp_path, capsys) -> None:
    assert main(["keys", "new", str(tmp_path / "keys"), "--agents", str(2**32)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "expected an integer of at least 0 and at most 4096, got '4294967296'" in said
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o666])
def test_a_key_others_can_read_is_refused(secured, mode: int) -> None:
    file = secured.key_file(0)
    file.chmod(mode)
    with pytest.raises(InsecureSetup, match=f"got mode {mode:04o}"):
        read_key_file(file)


def test_its_group_may_read_it_only_on_request_and_nobody_else(secured) -> None:
    file = secured.key_file(0)
    for mode in (0o600, 0o640, 0o440):
        file.chmod(mode)
        assert read_key_file(file, group=True).owner == "agent-0"
    for mode in (0o660, 0o644, 0o604, 0o650):
        file.chmod(mode)
        with pytest.raises(InsecureSetup, match="readable by its owner and group only"):
            read_key_file(file, group=True)


def test_the_log_says_that_the_group_can_read_a_key(secured) -> None:
    file = secured.key_file(0)
    file.chmod(0o640)
    nobody = [
        "--connect",
        "tcp://127.0.0.1:1",
        "--patience",
        "0.1",
        "--state",
        str(file.parent.parent / "state"),
    ]
    ran = secured.bnpg("agent", *nobody, "--key", str(file), "--key-group")
    assert f"the group can read the private key file={file}" in ran.stderr
    assert read_key_file(file, group=True).secret not in ran.stderr


def test_a_process_with_such_a_key_does_not_start(secured) -> None:
    secured.key_file(0).chmod(0o644)
    secured.start_agent(0)
    assert secured.processes["agent-0"].wait(30) == 2
    lines = secured.log("agent-0").splitlines()
    assert len(lines) == 1
    assert "readable by its owner only" in lines[0]
    (secured.keys / "coordinator.key").chmod(0o640)
    secured.start_coordinator()
    assert secured.processes["coordinator"].wait(30) == 2
    assert len(secured.log("coordinator").splitlines()) == 1
    assert not secured.run.exists()


def test_off_this_machine_keys_are_mandatory(secured) -> None:
    for options in (
        ["coordinator", "coordination(agents=3)", "--listen", "tcp://0.0.0.0:0", "--out", str(secured.run)],
        ["agent", "--connect", "tcp://192.0.2.1:7000", "--state", str(secured.path / "state")],
    ):
        done = secured.bnpg(*options)
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1
        assert "needs a key" in done.stderr
    assert not secured.run.exists()


def test_a_wrong_coordinator_key_and_an_unknown_own_key_end_with_a_reason(secured) -> None:
    secured.start_coordinator()
    wrong = secured.path / "wrong-server.key"
    own = secured.key(0)
    write_key_file(wrong, KeyFile(own.owner, own.public, own.secret, new_key_pair().public))
    unknown = secured.path / "unknown.key"
    pair = new_key_pair()
    write_key_file(unknown, KeyFile("agent-1", pair.public, pair.secret, secured.server))
    began = time.monotonic()
    secured.start_agent(0, name="wrong", key=wrong)
    secured.start_agent(1, name="unknown", key=unknown)
    assert secured.processes["wrong"].wait(60) == 8
    assert time.monotonic() - began > 9.0, "the coordinator might have been busy"
    assert secured.processes["unknown"].wait(60) == 8
    assert "the peer has another key than expected" in secured.log("wrong")
    assert "the peer does not allow our key" in secured.log("unknown")


def test_a_rotated_key_takes_over_while_the_run_goes_on(secured, right_digest) -> None:
    secured.start(0, 1)
    secured.until("both have joined", lambda: len(secured.status().get("agents", {})) == 2)
    old = secured.path / "old.key"
    old.write_bytes(secured.key_file(1).read_bytes())
    old.chmod(0o600)
    assert secured.bnpg("keys", "rotate", str(secured.keys), "--agent", "1").returncode == 0
    assert secured.bnpg("keys", "check", str(secured.keys)).returncode == 0
    os.kill(secured.processes["coordinator"].pid, signal.SIGHUP)
    secured.until("the roster is read again", lambda: "roster read again" in secured.log("coordinator"))
    secured.processes["agent-1"].kill()
    secured.processes["agent-1"].wait(10)
    secured.start_agent(1)
    stale = secured.attacker(pair=read_key_file(old).pair)
    stale.say(Beacon("running", 0, 0, ()), sender=1)
    secured.until("the old key is refused", lambda: secured.refused("key not allowed", "turned_away") > 0)
    secured.start_agent(2)
    assert secured.finish() == right_digest


def test_an_agent_that_lost_its_folder_says_which_life_it_is_and_the_run_begins_again(
    secured, right_digest
) -> None:
    secured.start_coordinator("--on-lost-state", "restart")
    for agent in range(3):
        secured.start_agent(agent)
    secured.reach(5)
    secured.processes["agent-1"].kill()
    secured.processes["agent-1"].wait(10)
    shutil.rmtree(secured.path / "state-1")
    secured.start_agent(1, "--incarnation", "2")
    assert secured.finish() == right_digest


def test_private_keys_are_told_to_nobody(secured, right_digest, own_ports) -> None:
    ports = [own_ports() for _ in range(4)]
    pages = [("--metrics-listen", f"127.0.0.1:{port}") for port in ports]
    secured.start_coordinator("--trace", *pages[0])
    for agent in range(3):
        secured.start_agent(agent, "--trace", str(secured.path / "traces"), *pages[agent + 1])
    secured.hold()
    secrets = [secured.key(agent).secret for agent in range(3)]
    secrets.append(read_key_file(secured.keys / "coordinator.key").secret)
    told = b""
    for process in secured.processes.values():
        told += (
            Path(f"/proc/{process.pid}/environ").read_bytes()
            + Path(f"/proc/{process.pid}/cmdline").read_bytes()
        )

    def page(port: int) -> str:
        return str(urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60).read().decode())

    for agent in (0, 1):
        state = secured.path / f"state-{agent}"
        secured.until(
            "its page is of the round that is held",
            lambda state=state, port=ports[agent + 1]: (
                f"bnpg_round {float(max(load_latest(state)))}\n" in page(port)
            ),
        )
    shown = "".join(page(port) for port in ports[:3])  # the last agent stands still
    assert shown.count("# HELP bnpg_round ") == 3
    told += shown.encode()
    thetas = [load_latest(secured.path / f"state-{agent}").values() for agent in (0, 1)]
    numbers = {repr(abs(float(one))) for held in thetas for theta in held for one in theta.flat}
    assert any(len(number) > 12 for number in numbers)
    assert not [number for number in numbers if len(number) > 12 and number[:12] in shown]
    assert secured.finish() == right_digest
    for process in secured.processes.values():
        process.wait(60)  # they take their last files away
    traces = [*(secured.run / "trace").iterdir(), *(secured.path / "traces").iterdir()]
    assert len(traces) >= 4, "everybody records its messages"
    for file in secured.path.rglob("*"):
        if file.is_file() and file.parent != secured.keys:
            told += file.read_bytes()
    assert b"bnpg" in told
    written = [(secret.encode(), z85.decode(secret), z85.decode(secret).hex().encode()) for secret in secrets]
    assert not [form for forms in written for form in forms if form in told]
    assert all(secret not in repr(secured.key(0)) + repr(secured.key(0).pair) for secret in secrets)


def test_a_key_speaks_for_its_owner_only() -> None:
    admission = Admission({"a" * 40: 0, "b" * 40: 1}, {"c" * 40})
    assert admission.objection("a" * 40, spoken(0)) == ""
    assert "belongs to agent 0" in admission.objection("a" * 40, spoken(1))
    assert admission.objection("d" * 40, spoken(0)) == "a key that is not allowed (any more)"
    assert admission.objection("c" * 40, spoken(UNASSIGNED, HELLO)) == ""
    assert admission.objection("c" * 40, spoken(2)) == "a key without an id may only say Hello"
    assert admission.bind("c" * 40, 2)
    assert admission.objection("c" * 40, spoken(2)) == ""
    assert "belongs to agent 2" in admission.objection("c" * 40, spoken(1))


def test_an_enrolment_folder_may_hold_rubbish(tmp_path: Path) -> None:
    good = new_key_pair().public
    (tmp_path / "a.pub").write_text(good + "\n")
    (tmp_path / "b.pub").write_text("not a key\n")
    (tmp_path / "c.pub").write_bytes(bytes(range(256)) * 1000)
    (tmp_path / "d.pub").mkdir()
    assert read_enrolled(tmp_path) == {good}


@pytest.mark.parametrize(
    ("endpoint", "leaves"),
    [
        ("ipc:///tmp/x", False),
        ("tcp://127.0.0.1:7000", False),
        ("tcp://127.8.9.1:*", False),
        ("tcp://localhost:1", False),
        ("tcp://[::1]:7000", False),
        ("tcp://0.0.0.0:7000", True),
        ("tcp://*:7000", True),
        ("tcp://[::]:7000", True),
        ("tcp://coordinator:7000", True),
        ("tcp://127.0.0.1.example.org:7000", True),
    ],
)
def test_which_endpoints_leave_the_machine(endpoint: str, leaves: bool) -> None:
    assert leaves_machine(endpoint) is leaves
    if leaves:
        with pytest.raises(InsecureSetup, match="needs a key"):
            require_key(endpoint, "--listen", secured=False)
    require_key(endpoint, "--listen", secured=True)


NO_PORTS = ["65536", "7" * 5000, "\N{ARABIC-INDIC DIGIT SEVEN}", "+1", "1_0", " 1"]


@pytest.mark.parametrize(
    "endpoint",
    [
        *("", "7000", "tcp://", "tcp://host", "udp://h:1", "tcp://h:99999", "ipc://", "ipc://@name"),
        *("unix://@name", *(f"tcp://h:{port}" for port in NO_PORTS)),
    ],
    ids=lambda endpoint: endpoint[:20],
)
def test_what_is_no_endpoint_is_said_so(endpoint: str) -> None:
    with pytest.raises(InsecureSetup, match="must be tcp://HOST:PORT, ipc://PATH or unix://PATH"):
        require_key(endpoint, "--listen", secured=True)


@pytest.mark.parametrize("port", NO_PORTS, ids=lambda port: port[:20])
def test_what_is_no_port_of_a_page_is_said_so(port: str) -> None:
    with pytest.raises(InsecureSetup, match="--listen must be HOST:PORT"):
        host_and_port(f"127.0.0.1:{port}", "--listen")


def test_quarantine_takes_in_offenders_and_no_victims_of_a_bad_network() -> None:
    quarantine = Quarantine()
    for _ in range(10 * FULL):
        # One message in three garbled on the way.
        assert quarantine.refused("victim", 0.0) == 0.0
        quarantine.accepted("victim")
        quarantine.accepted("victim")
    sentences = [quarantine.refused("rogue", 0.0) for _ in range(FULL)]
    assert sentences == [0.0] * (FULL - 1) + [FIRST]
    assert quarantine.holds("rogue", FIRST - 0.1)
    assert not quarantine.holds("rogue", FIRST)
    assert not quarantine.holds("victim", 0.0)
    assert max(quarantine.refused("rogue", FIRST) for _ in range(FULL)) == 2 * FIRST


def test_a_quarantine_is_five_seconds_after_a_hundred_refusals_doubled_up_to_five_minutes() -> None:
    quarantine = Quarantine()
    said = [quarantine.refused("rogue", 0.0) for _ in range(900)]
    assert said[99::100] == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0, 300.0]
    assert sum(seconds > 0.0 for seconds in said) == 9


@pytest.mark.parametrize(
    ("since", "failures", "hopeless"),
    [(90.0, 8, True), (90.1, 8, False), (0.0, 7, False), (0.0, 1000, True)],
)
def test_a_route_is_given_up_after_eight_failures_in_ten_seconds(
    since: float, failures: int, hopeless: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curve, "time", SimpleNamespace(monotonic=lambda: 100.0))
    assert Trouble(since, 100.0, "why", failures).hopeless() is hopeless
