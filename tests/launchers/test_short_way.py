"""Turns in memory take a short way, and come to the bits of those that go over the network."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from bnpg_agents.relayed_rounds import RelayedRounds
from bnpg_agents.rounds import AgentRounds
from bnpg_protocol.process.transport.memory import Delivery, MemoryNetwork
from bnpg_protocol.wire.errors import OrderViolation
from bnpg_protocol.wire.exit_codes import ExitCode
from bnpg_protocol.wire.messages import ActionsChosen

import bnpg
from bnpg.experiment_plan import plan_experiment
from bnpg.lab.testing.in_memory import setup_of_plan
from bnpg.launchers.cluster import COORDINATOR, Cluster

EXPERIMENTS: list[dict[str, Any]] = [
    {"game": "coordination(agents=3)", "dag": "line", "lanes": 8, "horizon": 12},
    {"game": "coordination(agents=3)", "dag": "line", "lanes": 24, "horizon": 9, "parts": 3},
    {"game": "coordination(agents=3)", "dag": "empty", "lanes": 12, "horizon": "geometric", "parts": 2},
    {"game": "coordination(agents=3)", "dag": "complete", "lanes": 4, "horizon": 5, "evaluate-every": 2},
    {"game": "relay(agents=3, T=4)", "dag": "0-1,0-2", "lanes": 8, "steps": 10},
]


class Counted(MemoryNetwork):
    """A network that counts the actions it delivers."""

    def __init__(self) -> None:
        super().__init__()
        self.actions = 0

    def deliver(self) -> Delivery | None:
        delivery = super().deliver()
        if delivery is not None and isinstance(delivery.envelope.message, ActionsChosen):
            self.actions += 1
        return delivery


def played(experiment: dict[str, Any], pause: Any) -> tuple[list[str], int, list[Any]]:
    """Return the last digests, how many actions went over the network, and what was recorded."""
    plan = plan_experiment({"rounds": 4, "learning-rate": 0.5, "evaluate-every": 0} | experiment)

    network = Counted()
    effects: list[Any] = []
    cluster = Cluster(
        partial(setup_of_plan, plan),
        effects.append,
        [{} for _ in range(3)],
        network=network,
        validate=True,
        pause=pause,
    )
    cluster.simulation.run()
    stop = cluster.simulation.stops[COORDINATOR]
    assert stop.code == ExitCode.DONE, stop.why
    digests = [thetas[max(thetas)].digest for thetas in cluster.thetas]
    return digests, network.actions, effects


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda one: f"{one['game']}-{one['dag']}")
def test_the_short_way_and_the_network_come_to_the_same_bits(experiment: dict[str, Any]) -> None:
    over_the_network, sent, recorded = played(experiment, None)
    short, left, recorded_short = played(experiment, lambda: False)
    assert short == over_the_network
    assert [str(one) for one in recorded_short] == [str(one) for one in recorded]
    # The first round may begin with a Start that is still under way; all others are short.
    assert left < sent / 2


def test_a_relay_hands_nothing_on_in_memory_where_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise AssertionError("rounds with a relay in a run that plays its turns at once")

    monkeypatch.setattr(RelayedRounds, "__init__", refused)
    played = {"game": "coordination(agents=3)", "dag": "complete", "rounds": 2, "lanes": 2, "horizon": 3}
    without, relayed = (bnpg.train(**played, launcher="memory", relay=relay) for relay in ("off", "on"))
    assert relayed.policy.digest == without.policy.digest


@pytest.mark.parametrize("every", [2, 3, 5])
@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda one: f"{one['game']}-{one['dag']}")
def test_turns_go_over_the_network_while_the_process_is_wanted_for_something_else(
    experiment: dict[str, Any], every: int
) -> None:
    asked = 0

    def pause() -> bool:
        nonlocal asked
        asked += 1
        return asked % every == 0

    expected, sent, _ = played(experiment, None)
    found, left, _ = played(experiment, pause)
    assert found == expected
    assert 0 < left < sent
    assert asked > every


def test_an_agent_that_takes_what_it_may_not_ends_the_run_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    play = AgentRounds.play

    def one_less(self: AgentRounds, message: Any, parent_actions: Any) -> Any:
        return play(self, message, parent_actions)[1:]

    monkeypatch.setattr(AgentRounds, "play", one_less)
    with pytest.raises(AssertionError, match="agent 0 chose 7 actions for 8 lanes at round 0, turn 1"):
        played({"game": "coordination(agents=3)", "dag": "empty", "lanes": 8, "horizon": 3}, lambda: False)


def test_faults_and_traces_need_the_network(tmp_path: Path) -> None:
    bnpg.train(
        "coordination(agents=3)",
        dag="line",
        lanes=4,
        horizon=6,
        rounds=2,
        launcher="memory",
        trace=True,
        out=tmp_path / "run",
    )
    text = "".join(path.read_text() for path in (tmp_path / "run" / "trace").glob("agent-0*.jsonl"))
    assert text.count('"kind":"ActionsChosen"') == 2 * 2 * 6  # to the coordinator and to agent 1


def test_an_agent_that_cannot_act_ends_the_run_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise OrderViolation("no")

    calls = 0
    play = AgentRounds.play

    def once(self: AgentRounds, message: Any, parent_actions: Any) -> Any:
        nonlocal calls
        calls += 1
        return refuse() if calls > 30 else play(self, message, parent_actions)

    monkeypatch.setattr(AgentRounds, "play", once)
    with pytest.raises(AssertionError, match="agent 0 failed: no"):
        played(EXPERIMENTS[0], lambda: False)
