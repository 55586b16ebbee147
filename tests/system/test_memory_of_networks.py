"""An agent with a network weighs what small machines can carry."""

from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.lab.bench.usage import footprint

CASE = {
    "game": "coordination(agents=2)", "dag": "line", "policy": "mlp:64,64", "update": "ppo", "rounds": 30,
    "lanes": 64, "horizon": 8,
}  # fmt: skip


def test_an_agent_with_a_network_has_little_memory_of_its_own(start_run):
    run = start_run(**CASE, settings={"fsync": False})
    run.until_round(8)
    # Measured were 41 and 12 MB; what a page less or more is shared differs from one system to another.
    for agent in (0, 1):
        found = footprint(run.process(f"agent-{agent}"))
        assert found is not None
        assert found.resident <= 45e6
        assert found.unique <= 14e6
    assert run.wait() == ExitCode.DONE, run.log
