"""`bnpg convert` and `bnpg train` take the files of other programs; what comes out is the same game."""

import json

import numpy as np
import pytest
from scipy.io import savemat
from scipy.sparse import csc_matrix

import bnpg
from bnpg.__main__ import main

from .conftest import COORDINATE, TIGER
from .test_game_from import forest


def converted(capsys, *arguments):
    assert main(["convert", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def files(here):
    P, R = forest()
    (here / "tiger.dpomdp").write_text(TIGER)
    (here / "meet.nfg").write_text(COORDINATE)
    np.savez("forest.npz", P=P, R=R, gamma=0.9)
    cells = np.empty((1, 2), dtype=object)
    cells[0, 0], cells[0, 1] = (csc_matrix(one) for one in P)
    savemat("forest.mat", {"P": np.moveaxis(P, 0, -1), "R": R, "discount": 0.9})
    savemat("cells.mat", {"P": cells, "R": R, "discount": 0.9})
    np.save("payoff.npy", np.arange(6.0).reshape(2, 3))
    np.savez("nash.npz", A=np.eye(2), B=np.eye(2))
    np.savez("stack.npz", payoffs=np.stack([np.ones((2, 2, 2))] * 3))
    np.savez("players.npz", payoff_0=np.eye(3), payoff_1=np.eye(3), gamma=0.5)
    shares = np.random.default_rng(1).dirichlet(np.ones(7), size=(7, 3)).astype(np.float32)
    np.savez(
        "single.npz", transition=shares, reward=np.ones((7, 3), np.float32), initial=np.eye(7)[0], gamma=0.5
    )
    return sorted(path.name for path in here.iterdir())


def test_every_format_is_trained_directly_and_converts_to_the_same_game(here, capsys):
    for name in files(here):
        out = name.replace(".", "-") + ".npz"
        result = converted(capsys, name, out)
        direct, written = bnpg.game(name), bnpg.game(out)
        assert written.digest == direct.digest
        assert result["states"] == direct.states
        assert result["notices"] == list(direct.notices)
        assert (
            main(
                [
                    "train",
                    name,
                    "--rounds",
                    "1",
                    "--lanes",
                    "4",
                    "--launcher",
                    "memory",
                    "-q",
                    "--out",
                    f"{out}.run",
                ]
            )
            == 0
        )
        assert bnpg.load_run(f"{out}.run").game.digest == direct.digest
        assert main(["resume", f"{out}.run", "-q"]) == 0
        capsys.readouterr()


def test_matlab_files_hold_the_same_game(here):
    files(here)
    for name in ("forest.mat", "cells.mat"):
        found = bnpg.game(name)
        np.testing.assert_array_equal(
            found.transition.to_dense(), bnpg.game("forest.npz").transition.to_dense()
        )
        np.testing.assert_array_equal(found.reward, bnpg.game("forest.npz").reward)


def test_options_say_what_the_file_does_not(here, capsys):
    P = np.random.default_rng(2).dirichlet(np.ones(3), size=(6, 3))
    np.savez("plain.npz", P=P, R=np.arange(18.0).reshape(3, 6))
    result = converted(
        capsys, "plain.npz", "team.npz", "--gamma", "0.9", "--actions", "2,3", "--initial", "1"
    )
    assert (result["actions"], result["gamma"]) == ([2, 3], 0.9)
    team = bnpg.game("team.npz")
    assert team.initial.tolist() == [0, 1, 0]
    assert team.reward[1, 1, 2] == 11


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("plain.npz", "out.npz"), "plain.npz: lacks gamma; choose a discount with bnpg convert"),
        (("plain.npz", "out.npz", "--gamma", "2"), "gamma must be in [0, 1), got 2"),
        (("plain.npz", "out.npz", "--gamma", ".5", "--actions", "2,2"), "must have a product of 2"),
        (("plain.npz", "out.npz", "--gamma", ".5", "--actions", "2,x"), "such as 2,3, got '2,x'"),
        (
            ("plain.npz", "out.npz", "--gamma", ".5", "--initial", "7"),
            "initial must be a state in 0..2, got 7",
        ),
        (("plain.npz", "out.txt"), "must end in .npz, got out.txt"),
        (("plain.npz", "plain.npz"), "exists already"),
        (("meet.nfg", "out.npz", "--actions", "2"), "has its own actions: expected no other"),
        (("own.npz", "out.npz", "--gamma", ".5"), "has its own gamma: expected no other, got 0.5"),
        (("nothing.npz", "out.npz"), "nothing.npz does not exist"),
        (("nothing.dpomdp", "out.npz"), "nothing.dpomdp does not exist"),
        (("nothing.nfg", "out.npz"), "nothing.nfg does not exist"),
        (("nothing.mat", "out.npz"), "nothing.mat does not exist"),
        (("nothing.npy", "out.npz"), "nothing.npy does not exist"),
        (("folder.nfg", "out.npz"), "folder.nfg is no file"),
        (("torn.npy", "out.npz"), "torn.npy must be an array in .npy format"),
        (("torn.mat", "out.npz"), "torn.mat must be a MATLAB file"),
        (("torn.npz", "out.npz"), "must be an .npz archive, got a single array"),
        (("empty.mat", "out.npz"), "lacks P, R; expected P [A, S, S] and R"),
        (("odd.npz", "out.npz"), "payoffs of N players must have shape (N, A_1, .., A_N), got (3, 2)"),
        (("unlike.npz", "out.npz"), "payoff[0, 0] is 1 for player 0 and 0 for player 1"),
    ],
)
def test_what_cannot_be_converted_is_one_line(here, refused, arguments, message):
    P, R = forest()
    np.savez("plain.npz", P=P, R=R)
    (here / "meet.nfg").write_text(COORDINATE)
    bnpg.save_game(bnpg.game("climbing"), "own.npz")
    (here / "folder.nfg").mkdir()
    for name in ("torn.npy", "torn.mat", "torn.npz"):
        (here / name).write_bytes(b"\x93NUMPY and no more")
    savemat("empty.mat", {"Q": 1})
    np.savez("odd.npz", payoffs=np.ones((3, 2)))
    np.savez("unlike.npz", A=np.eye(2), B=1 - np.eye(2))
    assert message in refused("convert", *arguments)
