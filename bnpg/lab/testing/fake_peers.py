"""The fixtures that need pytest-asyncio: fake peers on real sockets."""

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import pytest_asyncio

if TYPE_CHECKING:
    from bnpg.lab.testing.fakes import FakeAgent, FakeCoordinator
    from bnpg.lab.testing.scratch import Scratch


@pytest_asyncio.fixture
async def fake_coordinator(scratch: "Scratch") -> AsyncIterator["FakeCoordinator"]:
    """Give the test a coordinator of its own, which real agents connect to."""
    from bnpg.lab.testing.fakes import FakeCoordinator

    fake = FakeCoordinator(f"ipc://{scratch.path}/fake-coordinator.ipc")
    yield fake
    await fake.close()


@pytest_asyncio.fixture
async def fake_agent(scratch: "Scratch") -> AsyncIterator[Callable[..., "FakeAgent"]]:
    """Make agents under the control of the test: `fake_agent(2)`, `fake_agent(2, incarnation=3, run=..)`."""
    from bnpg.lab.testing.fakes import FakeAgent

    fakes: list[FakeAgent] = []

    def make(agent: int, incarnation: int = 1, run: str = "test-run") -> "FakeAgent":
        bind = f"ipc://{scratch.path}/fake-agent-{agent}-{len(fakes)}.ipc"
        fakes.append(FakeAgent(agent, bind, incarnation, run))
        return fakes[-1]

    yield make
    for fake in fakes:
        await fake.close()
