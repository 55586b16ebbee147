"""A step takes the messages that theory says, and not one more."""

import pytest
from bnpg_protocol.wire.link import ACKNOWLEDGE_EVERY

from bnpg.lab.bench.counted_messages import count_messages
from bnpg.lab.bench.measured_run import Workload
from bnpg_math.dag import FAMILIES

EDGES = {"empty": 0, "line": 4, "star": 4, "complete": 10}


def workload(dag: str, lanes: int = 1, agents: int = 5) -> Workload:
    return Workload(game=f"coordination(agents={agents})", dag=dag, lanes=lanes)


@pytest.mark.parametrize("dag", EDGES)
def test_a_step_is_the_states_to_all_the_actions_along_every_edge_and_all_actions_back(dag: str) -> None:
    messages = count_messages(workload(dag))
    assert messages.by_kind.pop("Acknowledgement", 0.0) <= messages.count / ACKNOWLEDGE_EVERY
    assert messages.by_kind == {"StatesAnnounced": 5, "ActionsChosen": 5 + EDGES[dag]}


def test_a_step_of_a_line_of_five_takes_fourteen_messages() -> None:
    messages = count_messages(workload("line"))
    assert messages.by_kind["StatesAnnounced"] + messages.by_kind["ActionsChosen"] == 14


@pytest.mark.parametrize("agents", [1, 2, 7])
def test_messages_grow_by_one_a_state_one_an_action_and_one_an_edge(agents: int) -> None:
    messages = count_messages(workload("line", agents=agents))
    assert messages.by_kind["StatesAnnounced"] == agents
    assert messages.by_kind["ActionsChosen"] == agents + len(FAMILIES["line"](agents).edges)


@pytest.mark.parametrize("lanes", [64, 4096])
def test_lanes_cost_messages_only_where_they_are_stepped_in_parts(lanes: int) -> None:
    messages = count_messages(workload("line", lanes))
    parts = messages.by_kind["StatesAnnounced"] / 5
    assert parts in range(1, lanes // 64 + 1)
    assert messages.by_kind["ActionsChosen"] == (5 + 4) * parts


def test_a_lane_costs_one_byte_in_each_of_the_fourteen_messages_of_a_line() -> None:
    few, many = count_messages(workload("line", 256)), count_messages(workload("line", 512))
    # Lengths and counters in the headers may take a byte more.
    assert many.bytes - few.bytes == pytest.approx(14 * 256, abs=14 * 4)
