"""An agent with a valid key that says two different things: run like `python -m bnpg_agents`."""

import sys
from typing import Any

import numpy as np
from bnpg_agents import __main__ as program
from bnpg_agents import shell
from bnpg_agents.machine import AgentMachine
from bnpg_protocol.wire.addresses import COORDINATOR
from bnpg_protocol.wire.messages import ActionsChosen

LIE_IN = 5
assert hasattr(AgentMachine, "_send_all"), "the liar has nowhere left to lie"


class Equivocator(AgentMachine):
    """Tells the coordinator, right after its first choice of a round, that it chose something else."""

    def _send_all(self, outcome: Any, now: float) -> Any:
        effects = super()._send_all(outcome, now)
        for one in outcome:
            if isinstance(one, ActionsChosen) and (one.round, one.turn) == (LIE_IN, 0):
                other = np.array(1 - np.minimum(one.actions, 1), dtype=one.actions.dtype)
                effects.append(self._links.send(COORDINATOR, ActionsChosen(LIE_IN, 0, other), now))
        return effects


shell.AgentMachine = Equivocator  # type: ignore[misc]
if __name__ == "__main__":
    sys.exit(program.main())
