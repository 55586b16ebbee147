"""Experiment files: strict, equal to the flags, and told apart by all that decides the result."""

import msgspec
import pytest
from bnpg_coordinator.experiment import (
    Experiment,
    experiment_digest,
    experiment_from,
    experiment_settings,
    experiment_toml,
    read_experiment,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from bnpg.lab.testing.settings import structs
from bnpg_math.errors import InputError

TEXTS = {"game": st.text(max_size=20), "dag": st.text(max_size=10), "initial": st.text(max_size=10)}


@settings(max_examples=100)
@given(fields=structs(Experiment, TEXTS))
def test_an_experiment_survives_its_file(fields, tmp_path_factory):
    experiment = experiment_from(fields)
    path = tmp_path_factory.mktemp("experiment") / "experiment.toml"
    path.write_text(experiment_toml(experiment), encoding="utf-8")
    assert read_experiment(path) == experiment


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "game"),
        ('game = "x"\nrouns = 3', "rouns"),
        ('game = "x"\npolicy = "y"', "experiment.toml: policy must be table, direct or a network"),
        ('game = "x"\nlearning_rate = 0.1', "learning_rate"),
        ("game = 3", "game: expected"),
        ('game = "x"\nmode = "approximate"', "mode: expected"),
        ('game = "x"\nrounds = -1', "rounds: expected"),
        ('game = "x"\nrounds = 2.5', "rounds: expected"),
        ('game = "x"\nrounds = true', "rounds: expected"),
        ('game = "x"\nrounds = "many"', "rounds: expected"),
        ('game = "x"\nlanes = 0', "lanes: expected"),
        ('game = "x"\nhorizon = 0', "horizon: expected"),
        ('game = "x"\nhorizon = "endless"', "horizon: expected"),
        ('game = "x"\nlearning-rate = 0', "learning-rate: expected"),
        ('game = "x"\nlearning-rate = -0.5', "learning-rate: expected"),
        ('game = "x"\nlearning-rate = nan', "learning-rate: expected"),
        ('game = "x"\nlearning-rate = inf', "learning-rate: expected"),
        ('game = "x"\nlearning-rate = "fast"', "learning-rate: expected"),
        ('game = "x"\nregularization = -1', "regularization: expected"),
        ('game = "x"\nregularization = inf', "regularization: expected"),
        (
            'game = "x"\nregularization = 1e155',
            "regularization: expected a finite number of at least 0 and at most 1e+150, got 1e+155",
        ),
        (
            'game = "x"\nstop-at-epsilon = 1e155',
            "stop-at-epsilon: expected a finite number of at least 0 and at most 1e+150, got 1e+155",
        ),
        ('game = "x"\nseed = -1', "seed: expected"),
        ('game = "x"\nseed = 9223372036854775808', "at most 9223372036854775807"),
        ('game = "x"\nbaseline = "best"', "baseline: expected"),
        ('game = "x"\n[nested]\nkey = 1', "nested"),
        ('game = "x"\ngame = "y"', "experiment.toml"),
        ("game = ", "experiment.toml"),
    ],
)
def test_a_bad_experiment_is_refused_by_the_name_of_its_field(text, told, tmp_path):
    path = tmp_path / "experiment.toml"
    path.write_text(text)
    with pytest.raises(InputError) as refusal:
        read_experiment(path)
    assert told in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"\0\0"])
def test_a_file_that_is_no_text_is_refused(content, tmp_path):
    path = tmp_path / "experiment.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"experiment\.toml"):
        read_experiment(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_experiment(tmp_path / "experiment.toml")


def digest(**fields):
    given = {"game": "x"} | {key.replace("_", "-"): value for key, value in fields.items()}
    return experiment_digest(msgspec.convert(given, Experiment), "game", "initial")


def other_value(setting):
    """Return a value that a setting may have and that is not its default."""
    if setting.is_flag:
        return not setting.default
    others = [word for word in setting.words if word != setting.default]
    if others or setting.is_open:
        return others[-1] if others else "empty"
    most = [kind.le for kind in setting.types if getattr(kind, "le", None) is not None]
    return min([3, *most])


@pytest.mark.parametrize("setting", experiment_settings(), ids=lambda setting: setting.key)
def test_a_digest_is_another_one_if_and_only_if_the_setting_decides_the_result(setting):
    decides = setting.setting.decides == "result" and not setting.setting.by_content
    assert (digest(**{setting.name: other_value(setting)}) != digest()) == decides


def test_all_but_length_speed_and_record_decides_the_result():
    others = {one.key for one in experiment_settings() if one.setting.decides != "result"}
    assert others == {
        "rounds", "stop-at-epsilon", "stop-gap", "certify-samples",
        "parts", "evaluate-every", "save-policy", "trace",
    }  # fmt: skip


def test_the_game_and_the_initial_policy_count_by_content():
    experiment = Experiment(game="x")
    digests = {experiment_digest(experiment, game, initial) for game in "ab" for initial in "ab"}
    assert len(digests) == 4


def test_rounds_are_evaluated_every_so_often_and_at_the_end():
    experiment = Experiment(game="x", rounds=7, evaluate_every=3)
    assert [round_ for round_ in range(8) if experiment.evaluates(round_)] == [0, 3, 6, 7]
    assert not any(Experiment(game="x", evaluate_every=0).evaluates(round_) for round_ in range(300))


def test_runs_from_before_there_were_other_ways_of_climbing_keep_their_digest():
    before = {"learning_rate": 0.1}
    assert digest(**before) == "5ff9d431a999ae025f2d697db39f41f3"
    plain = {"step_size": "fixed", "direction": "gradient", "momentum": "none", "baseline": "cross-fit"}
    assert digest(**before | plain) == digest(**before)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"mode": "exact"},
            "ed01d924dbc9291cc7991f124390489d",
        ),
        (
            {"mode": "exact", "dag": "complete", "learning_rate": "certified", "regularization": 0.5},
            "70798bec7b361b277be02beb47c16e92",
        ),
        (
            {"mode": "exact", "step_size": "backtracking", "direction": "natural", "momentum": "nesterov"},
            "a7a88c44326d0793105bfa61d369b624",
        ),
        (
            {"lanes": 7, "parts": 3, "horizon": 4, "baseline": "none", "seed": 9},
            "6881f861a8c0685e969a88a757fe5d03",
        ),
        (
            {"horizon": "geometric-visit", "learning_rate": 1, "rounds": 3},
            "429192934f56c62fee8e2c2657a3b122",
        ),
    ],
)
def test_runs_made_before_keep_their_digest(fields, expected):
    assert digest(**{"learning_rate": 0.1} | fields) == expected


@pytest.mark.parametrize(
    ("fields", "goal"),
    [
        ({"stop_at_epsilon": 0.1234564}, "a Nash gap of at most 0.1234564"),
        ({"stop_at_epsilon": 2.0, "stop_gap": "optimality"}, "an optimality gap of at most 2"),
    ],
)
def test_what_a_run_aims_at_is_told_with_every_digit_that_was_asked_for(fields, goal):
    assert Experiment(game="climbing", **fields).goal == goal
