"""Experiment files: strict, equal to the flags, and told apart by all that decides the result."""

import msgspec
import pytest
from bnpg_coordinator.experiment import Experiment, experiment_digest, experiment_toml, read_experiment
from hypothesis import given, settings
from hypothesis import strategies as st

from bnpg_math.errors import InputError

experiments = st.builds(
    Experiment,
    game=st.text(max_size=20),
    mode=st.sampled_from(["sampled", "exact"]),
    dag=st.text(max_size=10),
    rounds=st.integers(0, 2**62),
    learning_rate=st.just("certified")
    | st.floats(0, exclude_min=True, allow_nan=False, allow_infinity=False),
    regularization=st.floats(0, allow_nan=False, allow_infinity=False),
    lanes=st.integers(1, 2**40),
    horizon=st.sampled_from(["geometric", "geometric-visit"]) | st.integers(1, 10**6),
    baseline=st.sampled_from(["cross-fit", "none"]),
    initial=st.text(max_size=10),
    seed=st.integers(0, 2**63 - 1),
    evaluate_every=st.integers(0, 1000),
    save_policy=st.booleans(),
    trace=st.booleans(),
)


@settings(max_examples=100)
@given(experiment=experiments)
def test_an_experiment_survives_its_file(experiment, tmp_path_factory):
    path = tmp_path_factory.mktemp("experiment") / "experiment.toml"
    path.write_text(experiment_toml(experiment), encoding="utf-8")
    assert read_experiment(path) == experiment


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "game"),
        ('game = "x"\nrouns = 3', "rouns"),
        ('game = "x"\nlearning_rate = 0.1', "learning_rate"),
        ("game = 3", "$.game"),
        ('game = "x"\nmode = "approximate"', "$.mode"),
        ('game = "x"\nrounds = -1', "$.rounds"),
        ('game = "x"\nrounds = 2.5', "$.rounds"),
        ('game = "x"\nrounds = true', "$.rounds"),
        ('game = "x"\nrounds = "many"', "$.rounds"),
        ('game = "x"\nlanes = 0', "$.lanes"),
        ('game = "x"\nhorizon = 0', "$.horizon"),
        ('game = "x"\nhorizon = "endless"', "$.horizon"),
        ('game = "x"\nlearning-rate = 0', "$.learning-rate"),
        ('game = "x"\nlearning-rate = -0.5', "$.learning-rate"),
        ('game = "x"\nlearning-rate = nan', "$.learning-rate"),
        ('game = "x"\nlearning-rate = inf', "$.learning-rate"),
        ('game = "x"\nlearning-rate = "fast"', "$.learning-rate"),
        ('game = "x"\nregularization = -1', "$.regularization"),
        ('game = "x"\nregularization = inf', "$.regularization"),
        ('game = "x"\nseed = -1', "$.seed"),
        ('game = "x"\nseed = 9223372036854775808', "experiment.toml"),
        ('game = "x"\nbaseline = "best"', "$.baseline"),
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


@pytest.mark.parametrize(
    "fields",
    [
        {"mode": "exact"},
        {"dag": "empty"},
        {"learning_rate": 0.2},
        {"step_size": "backtracking"},
        {"direction": "natural"},
        {"momentum": "nesterov"},
        {"regularization": 1.0},
        {"lanes": 3},
        {"horizon": 3},
        {"baseline": "none"},
        {"seed": 1},
    ],
)
def test_whatever_decides_the_result_makes_another_digest(fields):
    assert digest(**fields) != digest()


@pytest.mark.parametrize(
    "fields",
    [{"evaluate_every": 0}, {"save_policy": True}, {"trace": True}, {"rounds": 7}, {"game": "another path"}],
)
def test_whatever_does_not_decide_it_makes_the_same_digest(fields):
    assert digest(**fields) == digest()


def test_the_game_and_the_initial_policy_count_by_content():
    experiment = Experiment(game="x")
    digests = {experiment_digest(experiment, game, initial) for game in "ab" for initial in "ab"}
    assert len(digests) == 4


def test_rounds_are_evaluated_every_so_often_and_at_the_end():
    experiment = Experiment(game="x", rounds=7, evaluate_every=3)
    assert [round_ for round_ in range(8) if experiment.evaluates(round_)] == [0, 3, 6, 7]
    assert not any(Experiment(game="x", evaluate_every=0).evaluates(round_) for round_ in range(300))


def test_runs_from_before_there_were_other_ways_of_climbing_keep_their_digest():
    assert digest() == "5ff9d431a999ae025f2d697db39f41f3"
    plain = {"step_size": "fixed", "direction": "gradient", "momentum": "none"}
    assert digest(**plain) == digest()
