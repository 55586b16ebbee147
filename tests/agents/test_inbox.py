"""The inbox of an agent: what its parents may send there."""

import zmq
from bnpg_agents.options import AgentOptions
from bnpg_agents.shell import _open_transport

from bnpg.lab.testing.scratch import Scratch


def test_a_frame_that_comes_in_may_have_64_mib(scratch: Scratch) -> None:
    inbox = f"ipc://{scratch.path}/inbox.ipc"
    front = f"ipc://{scratch.path}/front.ipc"
    options = AgentOptions(connect=front, state=scratch.path / "state", inbox=inbox)
    transport, advertised, _ = _open_transport(options, None, front, lambda: False)
    assert transport is not None
    try:
        assert advertised == inbox
        assert transport._front.get(zmq.MAXMSGSIZE) == 64 * 1024 * 1024
    finally:
        transport.close()
