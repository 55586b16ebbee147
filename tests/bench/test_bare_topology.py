"""The floor passes on exactly what it is meant to, and ends with its driver."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks.rivals.asyncio_ring import AsyncioRing
from benchmarks.rivals.pipes import PipeRing, PipeTeam
from bnpg.lab.bench import undecided_node
from bnpg.lab.bench.bare_topology import BareTopology, hops_of
from bnpg.lab.bench.undecided_team import UndecidedTeam
from bnpg_math.dag import complete, empty, line, star


def test_hops_are_the_longest_chain_of_messages_that_wait_for_each_other() -> None:
    assert [hops_of(dag) for dag in (empty(5), star(5), line(5), complete(4))] == [2, 3, 6, 5]


@pytest.mark.parametrize("ring", [BareTopology, AsyncioRing])
def test_a_ring_of_six_hops_has_five_processes_and_brings_every_message_back(
    ring: type[BareTopology],
) -> None:
    before = len(psutil.Process().children())
    with ring.ring(6, 100) as bare:
        assert len(psutil.Process().children()) - before == 5
        bare.steps(20)
        sample = bare.measure(0.01)
    assert sample.steps >= 10
    assert sample.seconds > 0.0


def test_a_graph_waits_for_parents_and_answers_the_driver_once_an_agent() -> None:
    with BareTopology.graph(complete(4), 10) as bare:
        bare.steps(20)
        assert bare.measure(0.01).seconds > 0.0


@pytest.mark.parametrize("reads", [False, True])
def test_a_team_that_decides_nothing_sends_every_message_of_a_step(reads: bool) -> None:
    before = len(psutil.Process().children())
    with UndecidedTeam(complete(3), reads) as team:
        assert len(psutil.Process().children()) - before == 3
        team.steps(20)
        assert team.measure(0.01).seconds > 0.0


def test_what_nobody_answers_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(psutil.Process().children())
    with UndecidedTeam(empty(1), reads=True) as team:
        team.steps(3)
        (agent,) = set(psutil.Process().children()) - before
        agent.kill()
        monkeypatch.setattr(undecided_node, "SILENCE", 0.05)
        with pytest.raises(TimeoutError, match="no message came"):
            team.steps(1)


def test_pipes_pass_on_and_play() -> None:
    with PipeRing(6, 84) as ring, PipeTeam(line(3), 8) as team:
        assert ring.measure(0.01).seconds > 0.0
        assert team.measure(0.01).seconds > 0.0


def test_nodes_end_when_their_driver_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, psutil\n"
        "from bnpg.lab.bench.bare_topology import BareTopology\n"
        "bare = BareTopology.ring(4, 10)\n"
        "bare.step()\n"
        "print(*(child.pid for child in psutil.Process().children()), flush=True)\n"
        "sys.stdin.read()\n"
    )
    driver = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={"TMPDIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    with driver:
        assert driver.stdout is not None
        nodes = [psutil.Process(int(pid)) for pid in driver.stdout.readline().split()]
        assert len(nodes) == 3
        driver.kill()
        driver.wait()
    assert not psutil.wait_procs(nodes, timeout=20)[1]
