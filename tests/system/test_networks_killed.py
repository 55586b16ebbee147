"""Networks in real processes: whatever is killed, and wherever, the run comes to the same bits."""

import pytest
from bnpg_protocol.wire.exit_codes import ExitCode

PPO = {
    "game": "climbing", "dag": "line", "policy": "mlp:16,16", "update": "ppo", "rounds": 30, "lanes": 64,
    "evaluate_every": 4, "learning_rate": 0.01, "regularization": 0.02,
}  # fmt: skip
A2C = PPO | {"game": "coordination(agents=3)", "dag": "0-2", "update": "a2c", "horizon": 4, "minibatches": 2}


@pytest.mark.parametrize(
    ("transport", "case", "coordinator", "agent"),
    [
        ("ipc", PPO, "stored", "storing"),
        ("tcp", A2C, "recorded", "stored"),
        ("unix", PPO, "storing", "sending"),
    ],
    ids=["between critic and line", "between line and signal", "before the critic is stored"],
)
def test_killed_by_the_plan_then_all_at_once_and_resumed_it_comes_to_the_same_bits(
    transport, case, coordinator, agent, start_run, play
):
    """The coordinator around critic, line and signal; an agent around its update."""

    def prepare(run):
        (run.folder / "faults.toml").write_text(
            f'[[kill]]\nprocess = "coordinator"\nphase = "{coordinator}"\nround = 2\n'
            f'[[kill]]\nprocess = "agent-1"\nphase = "{agent}"\nround = 4\n'
        )

    settings = {"fsync": False, "transport": transport, "faults": "faults.toml"}
    run = start_run(**case, settings=settings, prepare=prepare)
    run.until_round(6)
    assert int((run.folder / "generation").read_text()) == 2, "the coordinator was killed once"
    assert (run.folder / "agents" / "agent-1" / "incarnation").read_text().strip() == "2"
    run.kill_everything()
    assert 6 < run.recorded < case["rounds"]
    run.start()
    assert run.wait() == ExitCode.DONE, run.log
    expected = play(**case)
    assert run.digest == expected.digest
    assert run.lines == expected.lines
