"""Where a disk, the descriptors or the memory run out, a run ends with one line and code 7, and can go on."""

import gc
import json
import os
import random
import resource
from pathlib import Path
from typing import Any

import pytest
from bnpg_protocol.process.faults import shortage
from bnpg_protocol.process.faults.plan import Exhaust, FaultPlan, Kill
from bnpg_protocol.process.surroundings import ended
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.__main__ import main
from bnpg.lab.soak.schedule import draw_experiment
from bnpg.lab.soak.simulate import simulate
from bnpg.lab.testing.run_content import content

OPTIONS = (
    "coordination(agents=2)", "--rounds", "4", "--lanes", "2", "--horizon", "2", "--trace", "--quiet",
    "--save-policy", "--no-fsync",
)  # fmt: skip
OF_THE_PLAN = ("faults.toml", "launch.toml")


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What runs of both launchers leave."""
    left = {}
    for launcher in ("memory", "local"):
        folder = tmp_path_factory.mktemp(launcher) / "run"
        assert main(["train", *OPTIONS, "--launcher", launcher, "--out", str(folder)]) == 0
        left[launcher] = _without(content(folder))
    return left


def _without(found: dict[str, Any]) -> dict[str, Any]:
    return {name: held for name, held in found.items() if name not in OF_THE_PLAN}


NO_WORD = "could not write its record, or ran out of memory"
"""What is said of a coordinator that could not say it."""
MOMENTS = [
    ("agent-1", "storing", 2, "disk", "cannot write"),
    ("agent-0", "adopting", None, "disk", "cannot write"),
    ("coordinator", "recorded", 1, "disk", NO_WORD),
    ("coordinator", "concluding", None, "disk", NO_WORD),
    ("agent-1", "signal", 1, "memory", "agent-1 ended with code 7"),
    ("agent-0", "greeting", None, "memory", "agent-0 ended with code 7"),
    ("coordinator", "announcing", 2, "memory", NO_WORD),
    ("coordinator", "gathering", None, "memory", NO_WORD),
]


@pytest.mark.parametrize(
    ("process", "phase", "round_", "of", "why"),
    MOMENTS,
    ids=["-".join((one[0], one[1], one[3])) for one in MOMENTS],
)
@pytest.mark.parametrize("launcher", ["local", "memory"])
def test_what_runs_out_ends_the_run_with_one_line_and_it_goes_on_to_the_same_files(
    launcher: str, process: str, phase: str, round_: int | None, of: str, why: str,
    undisturbed: dict[str, dict[str, Any]], scratch: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    plan, folder = tmp_path / "plan.toml", tmp_path / "run"
    when = "" if round_ is None else f"round = {round_}\n"
    plan.write_text(f'[[exhaust]]\nprocess = "{process}"\nphase = "{phase}"\nof = "{of}"\n{when}')
    train = ["train", *OPTIONS, "--launcher", launcher, "--faults", str(plan), "--out", str(folder)]
    assert main(train) == ExitCode.STORAGE
    said = capfd.readouterr().err
    assert "Traceback" not in said
    assert [line for line in said.splitlines() if line.startswith("bnpg: error: ")] == said.splitlines()[-1:]
    if launcher == "local":
        assert why in said, said
        assert of != "memory" or "error: out of memory" in said
    assert json.loads((folder / "summary.json").read_text())["state"] == "failed"
    assert main(["resume", str(folder), "--quiet"]) == 0
    assert main(["trace", "check", str(folder)]) == 0
    assert _without(content(folder)) == undisturbed[launcher]


@pytest.mark.parametrize("transport", ["ipc", "tcp"])
def test_descriptors_that_run_out_while_a_reserve_is_kept_end_nothing(
    transport: str, start_run: Any, play: Any, tmp_path: Path
) -> None:
    """Who listens over ZeroMQ holds some back: they are thrown off, and files are written."""
    run = start_run(**CASE, settings=_short_of_descriptors(transport, tmp_path))
    assert run.wait() == ExitCode.DONE, run.log
    assert run.digest == play(**CASE).digest


def test_descriptors_that_run_out_where_none_are_held_back_end_the_run_which_goes_on(
    start_run: Any, play: Any, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text('[[exhaust]]\nof = "descriptors"\nprocess = "agent-1"\nphase = "adopting"\n')
    run = start_run(**CASE, settings={"fsync": True, "faults": str(plan), "transport": "unix"})
    assert run.wait() == ExitCode.STORAGE, run.log
    assert "Too many open files" in run.summary["why"]
    run.start()
    assert run.wait() == ExitCode.DONE, run.log
    assert run.digest == play(**CASE).digest


CASE: dict[str, Any] = {"game": "coordination(agents=2)", "rounds": 12, "lanes": 4, "horizon": 2}


def _short_of_descriptors(transport: str, folder: Path) -> dict[str, Any]:
    plan = folder / "plan.toml"
    plan.write_text(
        '[[exhaust]]\nof = "descriptors"\nprocess = "agent-1"\nphase = "storing"\nround = 3\n'
        '[[exhaust]]\nof = "descriptors"\nprocess = "coordinator"\nphase = "recorded"\nround = 5\n'
        "seconds = 0.2\n"
    )
    return {"fsync": True, "faults": str(plan), "transport": transport}


@pytest.mark.parametrize("of", ["disk", "descriptors", "memory"])
@pytest.mark.parametrize("phase", ["greeting", "adopting", "storing", "stored"])
def test_in_a_simulation_what_runs_out_is_resumed_to_the_same_bits(phase: Any, of: Any) -> None:
    experiment = draw_experiment(random.Random(7))
    plan = FaultPlan(
        exhaust=(
            Exhaust(process="agent-0", phase=phase, of=of),
            Exhaust(process="coordinator", phase="concluding", of=of, incarnation=2),
        ),
        kill=(Kill(process="agent-0", phase="welcomed", incarnation=2),),
    )
    struck = simulate(experiment, plan, order=3)
    assert struck.struck["exhaust"] >= 1
    assert struck.resumes >= 1
    assert struck.stops["coordinator"] == (ExitCode.DONE, "all rounds are done")
    whole = simulate(experiment)
    assert (struck.digest, struck.lines, struck.gathered) == (whole.digest, whole.lines, whole.gathered)


def test_what_a_process_took_of_its_own_limits_it_gives_back() -> None:
    before = [resource.getrlimit(which) for which in (resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE)]
    gc.collect()  # what earlier runs in this process held open
    held = len(os.listdir("/dev/fd"))
    short = shortage.Shortage()
    short.begin("descriptors", 2.0)
    with pytest.raises(OSError, match="Too many open files"):
        os.open(os.devnull, os.O_RDONLY)
    short.begin("disk", 1.0)
    assert short.next_end() == 1.0
    short.end(1.5)
    short.end(2.0)
    assert short.next_end() == float("inf")
    assert [resource.getrlimit(which) for which in (resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE)] == before
    assert len(os.listdir("/dev/fd")) == held


def test_a_process_that_cannot_allocate_says_so_in_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    def allocate() -> int:
        return len(bytearray(1 << 62))

    assert ended(allocate, "bnpg-agent-0") == ExitCode.STORAGE
    assert capfd.readouterr().err == "bnpg-agent-0: error: out of memory\n"
