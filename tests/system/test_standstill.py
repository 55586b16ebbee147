"""A run that is stopped as a whole for longer than its patience, and woken, goes on."""

import threading
from typing import Any

from bnpg_protocol.wire.exit_codes import ExitCode

PATIENCE = 6.0
CASE: dict[str, Any] = {
    "game": "coordination(agents=3)",
    "dag": "0-2,1-2",
    "rounds": 40,
    "lanes": 8,
    "horizon": 3,
}


def test_a_run_that_was_stopped_for_longer_than_its_patience_goes_on(start_run: Any, play: Any) -> None:
    run = start_run(**CASE, settings={"fsync": False, "patience": PATIENCE})
    run.until_round(20)
    everybody = [run.launcher, *run.processes.values()]
    for process in everybody:
        process.suspend()
    threading.Event().wait(PATIENCE + 2.0)  # what is tested is that time goes by
    for process in everybody:
        process.resume()
    assert run.wait() == ExitCode.DONE, run.log
    assert run.digest == play(**CASE).digest
