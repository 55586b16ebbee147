"""`os._exit` in others' code: it ends no process of ours without a word, and works elsewhere."""

import subprocess
import sys

import pytest

OURS = "from bnpg_protocol.process.surroundings import OURS; OURS.set()\n"
GUARDED = """
import os, threading
from bnpg_coordinator.environments.guard import guarded
from bnpg_coordinator.worlds.interface import WorldFailed

def call(what):
    try:
        return guarded(what, 10.0, lambda: "lane 0, step 3")
    except WorldFailed as error:
        print(error)
"""


def ended(program: str) -> tuple[int, list[str]]:
    """Return the exit code of a program and its lines."""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert not found.stderr, found.stderr
    return found.returncode, found.stdout.splitlines()


@pytest.mark.parametrize("status", [0, 3])
def test_an_environment_that_ends_its_process_at_once_has_raised(status: int) -> None:
    code, said = ended(f"{OURS}{GUARDED}call(lambda: os._exit({status}))\nprint('on')")
    assert (code, said) == (
        0,
        [f"lane 0, step 3: the environment raised SystemExit: os._exit({status})", "on"],
    )


def test_a_child_that_an_environment_forks_ends_as_it_likes() -> None:
    fork = "call(lambda: os.waitstatus_to_exitcode(os.waitpid(os.fork() or os._exit(5), 0)[1]))"
    assert ended(f"{OURS}{GUARDED}print({fork})") == (0, ["5"])


def test_a_thread_that_an_environment_starts_has_raised_too() -> None:
    thread = "threading.Thread(target=lambda: os._exit(0))"
    within = f"lambda: [one.start() or one.join() for one in [{thread}]]"
    where = "os._exit(0) in a thread of its own, here or earlier"
    raised = f"lane 0, step 3: the environment raised SystemExit: {where}"
    assert ended(f"{OURS}{GUARDED}call({within})\nprint('on')") == (0, [raised, "on"])
    between = f"later = {thread}\ncall(lambda: 1)\nlater.start(); later.join()\ncall(lambda: 1)\nprint('on')"
    assert ended(f"{OURS}{GUARDED}{between}") == (0, [raised, "on"])


def test_what_is_ours_ends_the_process_at_once() -> None:
    leave = "from bnpg_protocol.process.the_end import end_at_once\ncall(lambda: 1)\nend_at_once(4)"
    assert ended(f"{OURS}{GUARDED}{leave}") == (4, [])


def test_a_program_that_only_uses_us_keeps_what_it_has() -> None:
    assert ended(f"{GUARDED}before = os._exit\ncall(lambda: 1)\nprint(os._exit is before)") == (0, ["True"])
    assert ended(f"{GUARDED}call(lambda: os._exit(7))") == (7, [])


def test_a_thread_that_a_test_of_others_starts_fails_that_test() -> None:
    imports = "import os, threading\nfrom bnpg.environment_check import _failed\n"
    leave = "one = threading.Thread(target=lambda: os._exit(0))\n"
    leave += "print(_failed(lambda: (one.start(), one.join()), 10))"
    why = "SystemExit: os._exit(0) in a thread of its own, here or earlier"
    assert ended(f"{OURS}{imports}{leave}") == (0, [why])
