"""Every benchmark, at a size of nothing: all sides are measured, the document is sane."""

import math
from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from benchmarks import against_rivals
from benchmarks.exact_rounds import exact_rounds
from benchmarks.growth import growth
from benchmarks.rivals import ray_actors
from bnpg.lab.bench.document import Benchmark, Case
from bnpg.lab.bench.effort import TINY, Effort
from bnpg.lab.bench.many_lanes import many_lanes
from bnpg.lab.bench.one_step import one_step
from bnpg.lab.bench.plain_networks import PlainNetworks, add_gradient, layers
from bnpg.lab.bench.plain_numpy import softmax
from bnpg.lab.bench.relay import relay
from bnpg.lab.bench.simulators import simulators
from bnpg.lab.bench.start_up import start_up
from bnpg.lab.bench.switches import switches
from bnpg.lab.bench.what_you_get import what_you_get
from bnpg_math.dag import FAMILIES

Measure = Callable[[Effort], Benchmark]


def measured(measure: Measure) -> dict[str, Case]:
    """Measure, check what every benchmark must fulfil, and return the cases by name."""
    found = measure(TINY)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Benchmark) == found
    assert found.about
    for case in found.cases:
        assert case.ours in case.samples
        lengths = {len(samples) for samples in case.samples.values()}
        assert len(lengths) == 1, "sides were not measured equally often"
        for side, samples in case.samples.items():
            assert side not in case.left_out
            for sample in samples:
                assert 0.0 < sample.seconds < math.inf
                assert sample.steal is not None
            if side != case.ours:
                ratio = case.ratio(side)
                assert 0.0 < ratio.low <= ratio.median <= ratio.high
        assert set(case.targets) <= set(case.samples)
    assert len({case.name for case in found.cases}) == len(found.cases)
    return {case.name: case for case in found.cases}


def weighed(case: Case, side: str = "ours") -> None:
    """An agent process has some memory of its own, and more with what it shares."""
    own, resident = (case.median(side, field) for field in ("agent_bytes", "agent_resident_bytes"))
    assert own is not None
    assert resident is not None
    assert 1e6 < own < resident < 1e9


def test_the_relay_is_measured_beside_the_graph_without_and_the_line() -> None:
    cases = measured(relay)
    assert set(cases) == {"3 agents, ipc", "3 agents, unix"}
    assert set(cases["3 agents, ipc"].samples) == {"with a relay", "without", "line"}


def test_a_one_step_is_measured_against_the_ring_and_against_every_message() -> None:
    case, unix = measured(one_step).values()
    sides = ["ours", "ours over unix sockets", "bare pyzmq ring", "bare pyzmq, every message"]
    assert list(case.samples) == sides
    assert unix.samples["bare pyzmq ring"] == case.samples["bare pyzmq ring"]  # of the same turns
    assert unix.targets["bare pyzmq ring"].ratio == 1.9
    floors = ["unix, messages sent", "unix, messages sent and read"]
    assert list(unix.samples) == ["ours over unix sockets", "bare pyzmq ring", *floors]
    assert case.parameters["hops"] == 6
    assert case.targets["bare pyzmq ring"].ratio == 1.5
    assert case.messages is not None
    assert case.messages.by_kind["StatesAnnounced"] + case.messages.by_kind["ActionsChosen"] == 14
    assert case.parameters["payload"] == round(case.messages.bytes_by_kind["ActionsChosen"])
    weighed(case)


def test_b_lanes_are_measured_in_memory_and_by_plain_loops_and_come_to_the_same_bits() -> None:
    cases = measured(many_lanes)
    assert set(cases) == {f"{dag}, 8 lanes{over}" for dag in ("line", "empty") for over in ("", ", unix")}
    ours = ("ours", "ours over unix sockets", "ours in memory")
    for dag in ("line", "empty"):
        case, unix = cases[f"{dag}, 8 lanes"], cases[f"{dag}, 8 lanes, unix"]
        digests = {sample.digest for side in ours for sample in case.samples[side]}
        assert len(digests) == 1
        assert digests != {""}
        assert unix.samples["plain numpy loop"] == case.samples["plain numpy loop"]  # of the same turns


def test_c_rivals_are_measured_and_ray_is_or_it_says_why_not() -> None:
    cases = measured(against_rivals.against_rivals)
    bare, ray = cases["pipes and asyncio, 4 lanes"], cases["Ray, 4 lanes"]
    ours, rings = ["ours", "ours over unix sockets"], ["pipe ring", "pipes", "asyncio-zmq ring"]
    assert list(bare.samples) == [*ours, *rings, "bare pyzmq ring"]
    assert ("Ray actors" in ray.samples) == (not ray_actors.missing())
    assert ("Ray, 4 lanes, unix" in cases) == (not ray_actors.missing())


def test_c_without_ray_the_rest_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    ray = measured(against_rivals.against_rivals)["Ray, 4 lanes"]
    assert "install requirements/bench.txt" in ray.left_out["Ray actors"]
    assert list(ray.samples) == ["ours"]


def test_d_exact_rounds_are_measured_against_einsum() -> None:
    (case,) = measured(exact_rounds).values()
    assert list(case.samples) == ["ours", "ours over unix sockets", "ours in memory", "einsum"]


def test_e_growth_is_measured_with_agents_lanes_and_states() -> None:
    cases = measured(growth)
    assert {case.parameters["grows"] for case in cases.values()} == {"agents", "lanes", "states"}
    for case in cases.values():
        weighed(case)
        assert case.median("ours", "ready_seconds") is not None
        assert case.median("ours", "coordinator_bytes") is not None


def test_f_start_up_weighs_an_agent_and_what_it_imports() -> None:
    cases = measured(start_up)
    team = cases["2 agents ready"]
    assert set(team.limits) == {"seconds", "agent_resident_bytes"}
    weighed(team)
    imports = cases["imports of an agent process"]
    for side in ("ours", "numpy and zmq", "nothing"):
        weighed(imports, side)


def test_g_switches_are_measured_on_and_off() -> None:
    cases = measured(switches)
    assert [name.split(",")[0] for name in cases] == ["CURVE", "trace", "fsync"]
    for case in cases.values():
        on, off = case.samples
        assert case.ours == on
        assert (on.split()[0], off) == ("with", "without")
        # What is switched changes no bit of the result.
        assert len({sample.digest for side in (on, off) for sample in case.samples[side]}) == 1


def test_h_simulators_are_measured_in_memory_and_by_loops_that_play_alone() -> None:
    cases = measured(simulators)
    policies = {name.split("(")[0].split(",")[0]: case.parameters["policy"] for name, case in cases.items()}
    assert policies == {
        "relay": "table",
        "coordination": "table",
        "aloha": "table",
        "assign": "mlp:64,64",
        "spread": "mlp:64,64",
    }
    for case in cases.values():
        assert list(case.samples) == ["ours", "plain numpy loop", "plain numpy loop that learns"]
        assert case.targets["plain numpy loop that learns"].ratio == 2.0
        assert len({sample.digest for sample in case.samples["ours"]} - {""}) == 1


def test_the_plain_networks_follow_the_derivative_of_the_weighted_log_probabilities() -> None:
    players = PlainNetworks("spread(agents=2)", FAMILIES["line"](2), (5,), lanes=6, steps=3)
    network = players._networks[1]
    rng = np.random.default_rng(1)
    rows, actions = rng.normal(size=(7, network[0][0].shape[0])), rng.integers(5, size=7)
    weights = rng.normal(size=7)

    def total() -> float:
        chosen = softmax(layers(network, rows)[-1])[np.arange(7), actions]
        return float((weights * np.log(chosen)).sum())

    gradient = [(np.zeros_like(weight), np.zeros_like(bias)) for weight, bias in network]
    add_gradient(gradient, network, rows, actions, weights)
    for (weight, bias), (along, aside) in zip(network, gradient, strict=True):
        for array, slope in ((weight, along), (bias, aside)):
            array.flat[3] += 1e-5
            above = total()
            array.flat[3] -= 2e-5
            below = total()
            array.flat[3] += 1e-5
            assert (above - below) / 2e-5 == pytest.approx(slope.flat[3], rel=1e-5, abs=1e-8)


def test_i_transports_take_turns_and_come_to_the_same_bits() -> None:
    cases = measured(what_you_get)
    assert set(cases) == {"coordination(agents=2), 2 lanes", "relay(T=25), 2 lanes"}
    for case in cases.values():
        assert list(case.samples) == ["ipc", "unix", "tcp", "in memory"]
        assert case.ours == "ipc"
        assert len({sample.digest for side in case.samples.values() for sample in side} - {""}) == 1
