"""An agent with a valid key that says two different things: run like `python -m agents`."""

import sys

import numpy as np

from agents import __main__ as program
from agents import shell
from agents.machine import AgentMachine
from protocol.addresses import COORDINATOR
from protocol.messages import ActionsChosen


class Equivocator(AgentMachine):
    def _act(self, now):
        effects = super()._act(now)
        buffer = self._round
        if buffer.round == 5 and len(buffer.chosen) == 1 and not getattr(self, "lied", False):
            self.lied = True
            other = np.array(1 - np.minimum(buffer.chosen[0], 1), dtype=buffer.chosen[0].dtype)
            effects.append(self._links.send(COORDINATOR, ActionsChosen(5, 0, other), now))
        return effects


shell.AgentMachine = Equivocator
if __name__ == "__main__":
    sys.exit(program.main())
