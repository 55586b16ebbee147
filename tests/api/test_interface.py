"""`import bnpg`: light, the mirror of the command line, and clear when something is wrong."""

import inspect
import json
import os
import re
import signal
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from bnpg_coordinator.experiment import Experiment
from bnpg_protocol.process.settings import Setting, declared

import bnpg
from bnpg.__main__ import main
from bnpg.api import stub as writing
from bnpg.cli.train import train as train_command
from bnpg.launchers.settings import LaunchSettings
from bnpg_math.errors import DagError, GameError, PolicyError
from bnpg_math.games.builtin.climbing import payoff

QUICK: dict[str, Any] = {"rounds": 6, "lanes": 16, "horizon": 5, "evaluate_every": 2, "fsync": False}


def test_importing_bnpg_loads_nothing_heavy() -> None:
    program = (
        "import sys, bnpg; dir(bnpg); "
        "print(sorted({'numpy', 'scipy', 'click', 'msgspec', 'zmq', 'rich'} & set(sys.modules)))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    assert ran.stdout.strip() == "[]"


def test_every_name_is_there_and_documented() -> None:
    for name in bnpg.__all__:
        found = getattr(bnpg, name)
        assert name in dir(bnpg)
        assert name.startswith("__") or inspect.getdoc(found)
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        bnpg.trian  # noqa: B018


def test_train_has_every_option_of_the_command_line() -> None:
    settings = {*Experiment.__struct_fields__, *LaunchSettings.__struct_fields__}
    own = {"out", "faults", "progress", "on_line"}
    of_python = {"env", "exist_ok"}  # an environment, made here; a cell that is run again
    assert set(inspect.signature(bnpg.train).parameters) == settings | own | of_python
    options = {option.name for option in train_command.params}
    of_the_shell = {"subject", "as_json", "quiet", "debug"}
    by_initial_and_dag = {"origin", "budget"}  # a policy and a graph are objects here
    assert options - settings - own == of_the_shell | by_initial_and_dag
    assert settings - options == {"game"}


def test_train_shows_every_default_and_every_meaning() -> None:
    shown = inspect.signature(bnpg.train).parameters
    entries = (inspect.getdoc(bnpg.train) or "").split("Returns\n---")[0]
    for one in (*declared(Experiment, Setting), *declared(LaunchSettings, Setting)):
        if one.key in ("game", "faults"):
            continue
        default = "memory" if one.key == "launcher" else one.default
        assert shown[one.name].default == default
        assert re.search(rf"^{one.name} : .*, default {re.escape(repr(default))}", entries, re.M)
        words = one.meaning(lambda key: f"`{key.replace('-', '_')}`", lambda typed: f"``{typed}``")
        assert words in " ".join(entries.split())
    assert shown["learning_rate"].annotation == float | Literal["auto", "certified"]


def test_what_type_checkers_read_is_written_from_the_declaration() -> None:
    stub = Path(writing.__file__).with_name("train.pyi").read_text(encoding="utf-8")
    assert stub == writing.stub(bnpg.train), "a setting has changed: run `make stub`"


def test_scalars_of_numpy_are_numbers_and_words(here: Path) -> None:
    numbers = {"rounds": np.int32(6), "lanes": np.uint8(16), "horizon": np.array(5), "seed": np.int64(3)}
    others = {"learning_rate": np.float32(0.5), "trace": np.bool_(False), "mode": np.str_("sampled")}
    run = bnpg.train("climbing", evaluate_every=2, fsync=False, **numbers, **others)
    plain = bnpg.train("climbing", **QUICK, seed=3, learning_rate=0.5)
    assert run.experiment == plain.experiment
    assert run.policy.digest == plain.policy.digest


def test_an_unknown_argument_is_a_type_error_that_says_which_is_meant(here: Path) -> None:
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'lanez'; did you mean 'lanes'\?"):
        bnpg.train("climbing", lanez=3)
    assert list(here.iterdir()) == []


def test_messages_name_arguments_no_options_and_no_files_of_ours(here: Path) -> None:
    two = bnpg.train("climbing", **QUICK, out="two").policy
    for call in (
        lambda: bnpg.train("climbing3", initial=two),
        lambda: bnpg.train("climbing", **QUICK, out="two"),
        lambda: bnpg.train("climbing", stop_gap="optimality"),
        lambda: bnpg.train("climbing", direction="natural"),
    ):
        with pytest.raises(bnpg.InputError) as caught:
            call()
        assert "--" not in str(caught.value)
        assert "/tmp" not in str(caught.value)  # noqa: S108
    with pytest.raises(bnpg.InputError, match="the initial policy does not fit game climbing3"):
        bnpg.train("climbing3", initial=two)


def test_what_is_none_is_left_out() -> None:
    run = bnpg.train("climbing", **QUICK, learning_rate=None, dag=None, initial=None)
    assert run.experiment == bnpg.train("climbing", **QUICK).experiment


def test_the_same_run_as_from_the_command_line(capfd: pytest.CaptureFixture[str]) -> None:
    run = bnpg.train("climbing", dag="0-1", seed=3, **QUICK, out="python")
    arguments = "train climbing --dag 0-1 --seed 3 --rounds 6 --lanes 16 --horizon 5 --evaluate-every 2"
    assert main([*arguments.split(), "--no-fsync", "--json", "--out", "shell", "--quiet"]) == 0
    shell = json.loads(capfd.readouterr().out)
    assert run.summary is not None
    assert run.summary["policy_digest"] == shell["policy_digest"] == run.policy.digest
    assert {**run.summary, **dict.fromkeys(("seconds", "core", "run", "run_dir", "processes"))} == {
        **shell,
        **dict.fromkeys(("seconds", "core", "run", "run_dir", "processes")),
    }


def test_nothing_is_printed_unless_progress_is_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[int] = []
    bnpg.train("climbing", **QUICK, on_line=lambda line: seen.append(line["round"]))
    assert capfd.readouterr() == ("", "")
    assert seen == list(range(7))
    bnpg.train("climbing", **QUICK, progress=True)
    assert "round 6/6" in capfd.readouterr().err


def test_games_dags_and_policies_may_be_objects(here: Path) -> None:
    mine = bnpg.dense_game("my game", np.ones((1, 3, 3, 1)), payoff()[None], np.ones(1), 0.0)
    exact = {**QUICK, "mode": "exact", "learning_rate": 0.1}
    first = bnpg.train(mine, dag=[(1, 0)], **exact)
    assert (first.game.digest, first.dag.edges) == (mine.digest, ((1, 0),))
    assert first.folder.name.startswith("my-game-")
    goes_on = bnpg.train(mine, initial=first.policy, **exact)
    twelve = bnpg.train(mine, dag=first.dag, **(exact | {"rounds": 12}))
    assert goes_on.policy.digest == twelve.policy.digest
    named = bnpg.train(bnpg.game("climbing"), dag=(), **QUICK)
    assert (named.experiment.game, named.experiment.dag) == ("climbing", "empty")


def test_experiment_files_and_fault_plans(here: Path) -> None:
    Path("mine.toml").write_text('game = "climbing"\ndag = "0-1"\nrounds = 50\nlanes = 8\nhorizon = 3\n')
    Path("plan.toml").write_text("seed = 1\n[[drop]]\nprobability = 0.2\n")
    calm = bnpg.train("mine.toml", rounds=5)
    flaky = bnpg.train("mine.toml", rounds=5, faults="plan.toml")
    assert (calm.experiment.rounds, calm.experiment.dag, calm.experiment.lanes) == (5, "0-1", 8)
    assert flaky.policy.digest == calm.policy.digest


def test_columns_and_frame_hold_the_record() -> None:
    run = bnpg.train("climbing", **QUICK)
    assert run.columns["round"].dtype == np.int64
    assert np.isnan(run.columns["nash_gap"][[1, 3, 5]]).all()
    frame = run.frame()
    assert frame.index.tolist() == list(range(7))
    assert frame.loc[6, "value"] == run.lines[-1]["value"]


def test_evaluating_gives_the_numbers_of_the_record() -> None:
    run = bnpg.train("climbing", regularization=0.1, mode="exact", **QUICK)
    measured = run.evaluate(mismatch=True)
    for key in ("value", "nash_gap", "optimality_gap", "objective", "gradient_norm"):
        assert getattr(measured, key) == pytest.approx(run.lines[-1][key], rel=1e-9)
    assert measured.optimal_value == run.optimal_value == pytest.approx(11.0)
    assert measured.mismatch == pytest.approx(1.0)
    assert {(one.lemma, one.form) for one in measured.bounds} == {
        (f"lemma_{number}", form) for number in (2, 3, 4) for form in ("printed", "corrected", "tight")
    }
    bnpg.save_policy(run.policy, "policy.npz")
    again = bnpg.evaluate("climbing", "policy.npz")
    assert again.value == measured.value
    assert again.bounds[0].reason


@pytest.mark.parametrize(
    ("call", "kind", "says"),
    [
        (lambda: bnpg.train("climing"), GameError, "did you mean 'climbing'"),
        (lambda: bnpg.train(7), GameError, "name, a path or a Game, got int"),
        (lambda: bnpg.game(None), GameError, "got NoneType"),
        (lambda: bnpg.train("climbing", dag=[(0, 0)]), DagError, "0"),
        (lambda: bnpg.train("climbing", dag=7), DagError, "pairs"),
        (
            lambda: bnpg.train("climbing", rounds="many"),
            bnpg.InputError,
            "^rounds: expected an integer of at least 0, got 'many'$",
        ),
        (
            lambda: bnpg.train("climbing", learning_rate=np.nan),
            bnpg.InputError,
            "^learning_rate: expected a finite number greater than 0, 'auto' or 'certified', got nan$",
        ),
        (
            lambda: bnpg.train("climbing", step_size="backtrackng"),
            bnpg.InputError,
            "^step_size: expected 'fixed', 'backtracking' or .* did you mean 'backtracking'",
        ),
        (
            lambda: bnpg.train("climbing", launcher="cloud"),
            bnpg.InputError,
            "launcher: expected 'memory', 'local', 'slurm' or 'ray', got 'cloud'",
        ),
        (lambda: bnpg.train("climbing", log=["xml"]), bnpg.InputError, "log: expected some of 'csv', 'tens"),
        (lambda: bnpg.train("climbing", log="xml"), bnpg.InputError, "log: expected some of 'csv', 'tens"),
        (lambda: bnpg.train("climbing", faults="no.toml"), bnpg.InputError, "no.toml"),
        (lambda: bnpg.load_run("nowhere"), bnpg.InputError, "nowhere does not exist"),
        (lambda: bnpg.resume("nowhere"), bnpg.InputError, "nowhere does not exist"),
        (lambda: bnpg.evaluate("climbing", "none.npz"), PolicyError, "none.npz"),
        (lambda: bnpg.evaluate("climbing", "none.npz", regularization=-1), bnpg.InputError, "regularization"),
    ],
)
def test_a_mistake_is_an_input_error_that_leaves_nothing_behind(
    here: Path, call: Any, kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says) as caught:
        call()
    assert isinstance(caught.value, bnpg.InputError)
    assert "\n" not in str(caught.value)
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("name", [one.name for one in declared(Experiment, Setting) if one.name != "game"])
def test_an_integer_of_thousands_of_digits_is_refused_whatever_the_setting(here: Path, name: str) -> None:
    for value in (10**5000, -(10**5000)):
        with pytest.raises(bnpg.InputError, match="integer of 16610 bits") as caught:
            bnpg.train("climbing", **{name: value})
        assert len(str(caught.value)) < 400
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    "asked",
    [
        lambda long: bnpg.train("climbing", patience=long),
        lambda long: bnpg.train("climbing", environment_workers=long),
        lambda long: bnpg.train(env="relay", steps=long),
        lambda long: bnpg.sweep({"lanes": [1, long]}, "swept", base={"game": "climbing"}),
        lambda long: bnpg.sweep({"seed": [1]}, "swept", base={"game": "climbing", "rounds": long}),
        lambda long: bnpg.sweep({"seed": [1]}, "swept", base={"game": "climbing"}, jobs=-long),
        lambda long: bnpg.game(f"coordination(agents={long:#x})"),
        lambda long: bnpg.game(f"coordination(agents=[{long:#x}])"),
        lambda long: bnpg.game(f"coordination(epsilon=[{long:#x}])"),
        lambda long: bnpg.train("climbing", rounds=1).policy.sample([0], seed=long),
        lambda long: bnpg.dense_game(long, np.ones((1, 2, 1)), np.zeros((1, 2)), np.ones(1), 0.5),
    ],
)
def test_an_integer_of_thousands_of_digits_is_an_input_error_anywhere(here: Path, asked: Any) -> None:
    with pytest.raises(bnpg.InputError, match="integer of 16610 bits"):
        asked(10**5000)
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("wrong", [3, "print", 10**5000], ids=["number", "text", "long"])
def test_what_cannot_be_called_with_a_line_is_refused_before_anything_is_done(here: Path, wrong: Any) -> None:
    says = "^on_line must be a function of a line of the record, got "
    with pytest.raises(bnpg.InputError, match=says):
        bnpg.train("climbing", **QUICK, out="mine", on_line=wrong)
    assert list(here.iterdir()) == []
    bnpg.train("climbing", **QUICK, out="mine", on_line=lambda line: line["round"] == 2)
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    with pytest.raises(bnpg.InputError, match=says):
        bnpg.resume("mine", on_line=wrong)
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before


def test_to_go_on_for_an_endless_number_of_rounds_is_refused(here: Path) -> None:
    bnpg.train("climbing", **QUICK, out="mine")
    with pytest.raises(bnpg.InputError, match="at most 1000000000, got an integer of 16610 bits"):
        bnpg.resume("mine", rounds=10**5000)


NAMES: list[Any] = [
    bnpg.load_run,
    bnpg.resume,
    bnpg.load_policy,
    bnpg.game,
    lambda name: bnpg.evaluate("climbing", name),
    lambda name: bnpg.train("climbing", out=name),
    lambda name: bnpg.train("climbing", initial=name),
    lambda name: bnpg.train("climbing", dag=name),
    bnpg.train,
    lambda name: bnpg.sweep({"seed": [0]}, name, base={"game": "climbing"}),
    lambda name: bnpg.sweep(name, "swept"),
]
"""What takes the name of a file or a folder."""


@pytest.mark.parametrize("asked", NAMES)
@pytest.mark.parametrize("name", ["one\0two", "long" * 100], ids=["NUL", "long"])
def test_a_name_that_no_file_can_have_is_refused(here: Path, asked: Any, name: str) -> None:
    with pytest.raises(bnpg.InputError) as caught:
        asked(name)
    assert "\n" not in str(caught.value)
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("asked", NAMES)
def test_what_is_wrong_with_a_name_that_is_no_text_can_be_written_down(here: Path, asked: Any) -> None:
    with pytest.raises(bnpg.InputError) as caught:
        asked("\udcff.npz")
    assert str(caught.value).isprintable()
    assert r"\udcff" in str(caught.value).encode().decode()
    assert "".join(traceback.format_exception(caught.value)).encode()


def test_an_existing_folder_is_refused() -> None:
    bnpg.train("climbing", **QUICK, out="mine")
    with pytest.raises(bnpg.InputError, match="mine exists already"):
        bnpg.train("climbing", **QUICK, out="mine")


@pytest.mark.parametrize("launcher", ["memory", "local"])
def test_ctrl_c_in_a_cell_raises_and_the_run_resumes_to_the_same_bits(launcher: Any) -> None:
    before = signal.getsignal(signal.SIGINT)

    def interrupt(line: dict[str, Any]) -> None:
        if line["round"] == 3:
            signal.raise_signal(signal.SIGINT)

    experiment = QUICK | {"rounds": 2000, "evaluate_every": 0}
    with pytest.raises(KeyboardInterrupt, match=r"continue with bnpg.resume\('cell'\)"):
        bnpg.train("climbing", **experiment, launcher=launcher, out="cell", on_line=interrupt)
    assert signal.getsignal(signal.SIGINT) is before
    stopped = bnpg.load_run("cell")
    assert 3 <= stopped.rounds < 2000
    resumed = bnpg.resume("cell", rounds=np.int64(stopped.rounds + 3))
    whole = bnpg.train("climbing", **(experiment | {"rounds": stopped.rounds + 3}))
    assert resumed.policy.digest == whole.policy.digest
    assert bnpg.resume("cell").policy.digest == whole.policy.digest


@pytest.mark.parametrize("launcher", ["memory", "local"])
def test_training_works_in_a_thread_too(launcher: Any) -> None:
    found: list[bnpg.Run] = []
    thread = threading.Thread(
        target=lambda: found.append(bnpg.train("climbing", **QUICK, launcher=launcher, out="thread"))
    )
    thread.start()
    thread.join()
    assert found[0].policy.digest == bnpg.train("climbing", **QUICK).policy.digest


def test_a_failed_run_says_why_and_where(monkeypatch: pytest.MonkeyPatch) -> None:
    from bnpg_protocol.wire.exit_codes import ExitCode

    from bnpg.api import training
    from bnpg.launchers.settings import Outcome

    outcome = Outcome(ExitCode.PEER_FAILED, "agent-1 was killed by signal 9", 3)
    with monkeypatch.context() as patch:
        patch.setattr(training, "find_launcher", lambda name: lambda *arguments: outcome)
        with pytest.raises(
            bnpg.RunFailed, match=r"agent-1 was killed by signal 9; the run so far is in mine"
        ):
            bnpg.train("climbing", **QUICK, out="mine")
    assert bnpg.resume("mine").rounds == 6
