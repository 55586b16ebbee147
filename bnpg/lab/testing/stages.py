"""The two machines on a transcript's stage."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from bnpg_agents.machine import AgentMachine
from bnpg_agents.neighbourhood import COORDINATOR_ROUTE
from bnpg_agents.sealing import KEY_BYTES, Seal
from bnpg_agents.setup import AgentSetup
from bnpg_agents.snapshot import of_table
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.machine import CoordinatorMachine
from bnpg_protocol.process.machine import Machine
from bnpg_protocol.wire.addresses import COORDINATOR
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.lab.testing.fakes import welcome
from bnpg.lab.testing.in_memory import setup_of
from bnpg.lab.testing.transcript import Stage
from bnpg_math.dag.routes import relayed
from bnpg_math.policies.softmax import initial_normal


class AgentStage(Stage):
    """An agent; `given` takes the fields of its Welcome, `held` for its checkpoint and its `patience`.

    With `seals` it seals its checkpoints; with `spare` it is one more than the run may need.
    """

    def make(self, fields: dict[str, Any]) -> Machine:
        """Make an agent, with two states, two actions and theta_0 = 0 unless told otherwise."""
        held = fields.pop("held", ())
        patience = float(fields.pop("patience", 600.0))
        incarnation = fields.pop("incarnation", 1)
        seals, spare = fields.pop("seals", False), bool(fields.pop("spare", False))
        belongs = fields.pop("belongs", "E" if held else "")
        self.me = fields.pop("agent", 1)
        usual = {"states": 2, "initial": "zeros", "regularization": 0.1, "experiment": "E"}
        self.welcome = welcome(max(self.me, 0), **(usual | fields))
        shape = (self.welcome.states, *self.welcome.parent_actions, self.welcome.actions)
        setup = AgentSetup(
            agent=self.me,
            incarnation=incarnation,
            endpoint="here",
            numerics="F",
            held={round_: of_table(initial_normal(round_, max(self.me, 0), shape)) for round_ in held},
            experiment=belongs,
            patience=patience,
            spare=spare,
            seal=Seal(bytes(KEY_BYTES)) if seals else None,
        )
        return AgentMachine(setup, 0.0)

    def join(self, fields: dict[str, Any]) -> Iterator[str]:
        """Go from the Hello to the Start, in epoch 1."""
        mine = self.welcome
        yield "~ 0"
        yield self.welcoming()
        self.epoch = 1
        senders, receivers = mine.parents, mine.children
        if mine.relay:
            senders, receivers = (tuple(end for end, _ in links) for links in (mine.hears, mine.hands))
        parents = tuple((parent, 1) for parent in senders)
        children = tuple((child, 1, f"child-{child}") for child in receivers)
        yield f"> coordinator: Roster parents={_tight(parents)} children={_tight(children)}"
        for parent in senders:
            yield f"> agent {parent}: EdgeHello"
        for child in receivers:
            yield f"> agent {child}: EdgeWelcome"
        yield f"> coordinator: Start round={fields.get('round', 0)}"

    def welcoming(self) -> str:
        """Return the arrival of this agent's Welcome."""
        fields = msgspec.structs.asdict(self.welcome)
        del fields["theta"]
        return "> coordinator: Welcome " + " ".join(f"{key}={_tight(one)}" for key, one in fields.items())

    def origin(self, sender: int, incarnation: int) -> str:  # noqa: ARG002 - one connection a neighbour, through all its lives
        """Return the connection of a peer."""
        return COORDINATOR_ROUTE if sender == COORDINATOR else f"child-{sender}"

    def _line(self, line: str) -> list[str]:
        if line == "> coordinator: Welcome":
            line = self.welcoming()
        return super()._line(line)


class CoordinatorStage(Stage):
    """A coordinator; `given` takes the fields of its experiment, `generation` and `patience`.

    With `keeps` it keeps sealed checkpoints of at most so many bytes, with `relay` actions are handed on.
    `(end INTERRUPTED: interrupted)` is the shell that was told to end the run.
    """

    me = COORDINATOR

    def make(self, fields: dict[str, Any]) -> Machine:
        """Make a coordinator of the climbing game with one lane, one step and one round."""
        usual: dict[str, Any] = {
            "game": "climbing",
            "dag": "line",
            "rounds": 1,
            "lanes": 2,
            "horizon": 1,
            "baseline": "none",
            "evaluate_every": 0,
        }
        fields = {**usual, **fields}
        self.generation = fields.pop("generation", 1)
        patience = float(fields.pop("patience", 120.0))
        keeps, relay = fields.pop("keeps", 0), fields.pop("relay", False)
        given = {key.replace("_", "-"): value for key, value in fields.items()}
        setup = setup_of(msgspec.convert(given, Experiment), self.generation, patience)
        self.setup = msgspec.structs.replace(
            setup, run="run", digest="E", numerics="F", largest_sealed=keeps, relay=relay
        )
        return CoordinatorMachine(self.setup, 0.0)

    def join(self, fields: dict[str, Any]) -> Iterator[str]:
        """Let all agents greet and confirm, in epoch 1."""
        dag = relayed(self.setup.dag) if self.setup.relay else self.setup.dag
        for agent in range(dag.agents):
            yield f"> agent {agent}: Hello held={_tight(fields.get('held', ()))}"
        self.epoch = 1
        for agent in range(dag.agents):
            edges = f"parents={_tight(dag.parents[agent])} children={_tight(dag.children[agent])}"
            yield f"> agent {agent}: EdgesConfirmed {edges}"

    def origin(self, sender: int, incarnation: int) -> str:
        """Return the connection of a peer: a new one for every incarnation."""
        return f"from agent {sender}#{incarnation}"

    def _line(self, line: str) -> list[str]:
        ended = _ENDED.fullmatch(line)
        if ended:
            assert isinstance(self.machine, CoordinatorMachine)
            return self._shown(self.machine.end(ExitCode[ended[1]], ended[2], self.now))
        if ": Hello" in line:
            line += "".join(
                f" {field}" for field in _HELLO if f" {field.partition('=')[0]}=" not in line
            ).replace("AGENT", line.split()[2].rstrip(":") if "agent none" not in line else "-2")
        return super()._line(line)


_ENDED = re.compile(r"\(end (\w+): (.*)\)")
_HELLO = ("versions=(2,)", "agent=AGENT", 'endpoint="there"', "held=()", 'experiment=""', 'numerics="F"')


def _tight(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value).replace(" ", "")
