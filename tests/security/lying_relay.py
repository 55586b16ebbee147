"""An agent with a valid key that hands its child other actions of its parent on than it heard.

Run like `python -m bnpg_agents`, in a run with a relay.
"""

import sys

from bnpg_agents import __main__ as program

from bnpg.lab.testing.liars import Lie, lying

if __name__ == "__main__":
    with lying(Lie(agent=1, to=2, of=0, round=5)):
        sys.exit(program.main())
