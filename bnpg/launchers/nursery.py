"""The process that starts the others: it imports what all of them need, forks them, and is gone.

A fork costs a hundredth of a fresh interpreter, which imports everything again. And the forked processes are
alike down to the addresses of their code, so a core that turns from one to the next still knows its branches.

    python -m bnpg.launchers.nursery < ORDERS

Standard input holds a JSON list of orders; the process ids go to standard output, as a JSON list in the same
order. Whoever started this process adopts them, see `bnpg.launchers.adoption`.
"""

import encodings.ascii  # noqa: F401 (of addresses)
import gc
import json
import locale  # noqa: F401 (of subprocesses)
import os
import signal
import sys
from contextlib import suppress
from typing import Any

from bnpg_protocol.process.endings import end_in_silence

if __name__ == "__main__":
    end_in_silence()  # those it forks too, until they say it in one line

from bnpg_agents.__main__ import main as run_agent
from bnpg_protocol.core import compiled
from bnpg_protocol.process.surroundings import settle

from bnpg_math.arrays.numerics import fingerprint


def main() -> int:
    """Fork a process for every order; in those, run what was ordered."""
    settle()
    try:
        orders = json.load(sys.stdin)
    except ValueError:  # whoever gives them was killed over it
        return 1
    _share(orders)
    gc.collect()
    gc.freeze()  # what is here already is nothing to look through, and to copy, in every process
    pids: list[int] = []
    for order in orders:
        try:
            pid = os.fork()
        except OSError:
            # There may be no more of them: whoever gave the orders meets the same, and says so.
            for started in pids:
                os.kill(started, signal.SIGKILL)
            return 1
        if pid == 0:
            return _run(order, [other["stdin"] for other in orders])
        pids.append(pid)
    with suppress(BrokenPipeError):  # nobody waits any more; those that were forked have lost their lifelines
        os.write(1, json.dumps(pids).encode())
    return 0


def _share(orders: list[dict[str, Any]]) -> None:
    """Load and compute what is the same in all processes: they share its memory."""
    compiled()
    fingerprint()
    if any("unix://" in argument for order in orders for argument in order["arguments"]):
        import bnpg_protocol.process.transport.unix
    else:
        import bnpg_protocol.process.transport.zeromq  # noqa: F401


def _run(order: dict[str, Any], pipes: list[int]) -> int:
    """Be the process that was ordered: in a session and with a standard input of its own."""
    os.setsid()
    os.dup2(order["stdin"], 0)
    os.dup2(2, 1)
    for pipe in pipes:
        os.close(pipe)
    sys.argv = [order["package"], *order["arguments"]]
    if order["package"] == "bnpg_agents":
        return run_agent()
    from bnpg_coordinator.__main__ import main as run_coordinator  # heavier than agents are allowed to be

    return run_coordinator()


if __name__ == "__main__":
    sys.exit(main())
