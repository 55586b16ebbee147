"""A certificate from samples says how far it is, and one that would take hours is refused at once."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from bnpg import counting
from bnpg.cli.root import bnpg as bnpg_command
from bnpg.evaluation.from_samples import check_effort
from bnpg.experiment_plan import plan_experiment
from bnpg_math.errors import InputError

CERTIFIED = {"regularization": 0.5, "certify-samples": 0.01, "mode": "exact", "rounds": 1}


def test_it_says_on_stderr_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "EVERY", 0.0)
    monkeypatch.chdir(tmp_path)
    arguments = ["train", "climbing", "--launcher", "memory", "--out", "run", "--json"]
    for name, value in CERTIFIED.items():
        arguments += [f"--{name}", str(value)]
    ran = CliRunner().invoke(bnpg_command, arguments, standalone_mode=False, catch_exceptions=False)
    assert ran.return_value == 0
    assert "certify-samples: batches of 4096 episodes 1/256" in ran.stderr
    assert ran.stdout.count("\n") == 1
    other = ["other" if one == "run" else one for one in arguments]
    again = CliRunner().invoke(
        bnpg_command, [*other, "--quiet"], standalone_mode=False, catch_exceptions=False
    )
    assert again.return_value == 0
    assert "certify-samples" not in again.stderr


@pytest.mark.parametrize(
    ("game", "why"),
    [
        ("coordination(agents=2, gamma=0.99999)", "1048576 episodes of 1e\\+05 steps on average"),
        ("random(states=200, agents=4, actions=5)", "certify-samples keeps the gradients of 4096 episodes"),
    ],
)
def test_what_would_take_hours_or_all_memory_is_refused_before_the_run(game: str, why: str) -> None:
    with pytest.raises(InputError, match=why) as refused:
        plan_experiment({"game": game, "dag": "complete", **CERTIFIED})
    assert "\n" not in str(refused.value)


def test_a_gamma_of_999_thousandths_is_minutes_and_goes() -> None:
    check_effort(0.999, 4, [8, 16])
    check_effort(0.9999, 4, [8, 16])
