"""However a run ends, it ends for everybody, for a reason that is told, and waits for nobody who is gone."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.__main__ import main
from bnpg.launchers.local_place import LocalPlace
from bnpg.launchers.settings import LaunchSettings
from bnpg.launchers.supervisor import COORDINATOR, Supervisor
from bnpg.run_folder import RunFolder

CASE: dict[str, Any] = {
    "game": "coordination(agents=3)",
    "dag": "0-2,1-2",
    "rounds": 40,
    "lanes": 8,
    "horizon": 3,
    "learning_rate": 0.5,
    "initial": "normal",
}


def test_a_coordinator_that_dies_among_the_farewells_gets_everybody_back(start_run, play, tmp_path) -> None:
    plan = tmp_path / "plan.toml"
    # In its first life agent 1 never hears that the run ends: by then many messages have gone over its link.
    late = ", ".join(map(str, range(30, 400)))
    plan.write_text(
        f'[[drop]]\nfrom = "coordinator"\nto = "agent-1"\nmessages = ["Finish"]\npositions = [{late}]\n'
    )
    run = start_run(**CASE, settings={"fsync": False, "faults": str(plan)})
    run.until(lambda: sorted(run.processes) == ["agent-1", "coordinator"], "the others were let go")
    run.kill("coordinator")
    assert run.wait() == ExitCode.DONE, run.log
    assert run.summary["state"] == "done"
    assert run.digest == play(**CASE).digest


@pytest.mark.parametrize("launcher", ["memory", "local"])
def test_an_agent_that_is_not_let_in_is_the_reason_in_the_summary(tmp_path, capfd, launcher: str) -> None:
    folder = tmp_path / "run"
    experiment = ["coordination(agents=2)", "--rounds", "3", "--lanes", "2", "--horizon", "2"]
    assert main(["train", *experiment, "--launcher", launcher, "--out", str(folder), "--quiet"]) == 0
    done = json.loads((folder / "summary.json").read_text())
    toml = folder / "experiment.toml"
    toml.write_text(toml.read_text().replace("rounds = 3", "rounds = 4"))
    identity = folder / "agents" / "agent-1" / "agent.json"
    identity.write_text(json.dumps({"agent": 1, "experiment": "another"}))
    assert main(["resume", str(folder), "--quiet", "--json"]) == ExitCode.REJECTED
    told = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert told == json.loads((folder / "summary.json").read_text())
    assert told["state"] == "failed"
    assert re.search(r"1 was rejected \(experiment\)?: expected", told["why"])
    assert (told["rounds"], told["policy_digest"]) == (3, done["policy_digest"])
    assert told["seconds"] > 0


class Alone:
    """A process that goes on until it is abandoned."""

    def __init__(self) -> None:
        self.abandoned = False

    def abandon(self) -> None:
        self.abandoned = True


@pytest.fixture
def launched(tmp_path: Path) -> Any:
    """Return a function: a launcher whose coordinator told this phase, after its agents have ended."""
    experiment = ["coordination(agents=2)", "--rounds", "0", "--launcher", "memory"]
    assert main(["train", *experiment, "--out", str(tmp_path / "run"), "--quiet"]) == 0

    def launched(phase: str, earlier: bool = False, agents: tuple[str, ...] = ()) -> Any:
        place = LocalPlace()
        wiring: Any = None
        run: Any = Supervisor(
            RunFolder(tmp_path / "run"), LaunchSettings(), lambda _line: None, place, place, wiring
        )
        (tmp_path / "run" / "status.json").write_text(json.dumps({"phase": phase, "written": 1e9}))
        run._before = 1e9 if earlier else 2e9  # and later by its clock, which has gone back since
        run._processes = {name: Alone() for name in (COORDINATOR, *agents)}
        run.started = []
        run._start = lambda *names: run.started.extend(names)
        return run

    return launched


def test_a_coordinator_waits_for_no_farewell_when_all_agents_have_ended(launched) -> None:
    run = launched("ending")
    run._look_after_the_gone()
    assert run._processes[COORDINATOR].abandoned
    assert run.started == []


@pytest.mark.parametrize(("phase", "agents"), [("ending", ("agent-1",)), ("running", ()), ("edges", ())])
def test_it_is_not_cut_off_from_those_who_are_left(launched, phase: str, agents: tuple[str, ...]) -> None:
    run = launched(phase, agents=agents)
    run._look_after_the_gone()
    assert not run._processes[COORDINATOR].abandoned
    assert run.started == []


def test_agents_are_started_again_for_a_coordinator_that_waits_for_them(launched) -> None:
    run = launched("gathering", agents=("agent-1",))
    run._look_after_the_gone()
    assert run.started == ["agent-0"]


def test_what_an_earlier_life_of_the_coordinator_said_does_not_count(launched) -> None:
    run = launched("ending", earlier=True)
    run._look_after_the_gone()
    assert not run._processes[COORDINATOR].abandoned
    run = launched("gathering")
    run._interrupts = 1
    run._look_after_the_gone()
    assert run.started == []
