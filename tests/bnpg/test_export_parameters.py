"""`bnpg export`: parameters in a format that others read by name, and that holds the very bits."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bnpg_agents.checkpoint import load_snapshots
from bnpg_protocol.wire.errors import StorageFailed

import bnpg
from bnpg.__main__ import main
from bnpg.exports import parameters
from bnpg_math.errors import InputError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def decoded(file: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read a safetensors file by the format's own description."""
    content = file.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header: dict[str, Any] = json.loads(content[8 : 8 + size])
    about, data = header.pop("__metadata__"), content[8 + size :]
    arrays, end = {}, 0
    for name, one in header.items():
        start, stop = one["data_offsets"]
        assert start == end, "no hole, and no overlap"
        assert one["dtype"] == "F64"
        arrays[name] = np.frombuffer(data[start:stop], "<f8").reshape(one["shape"])
        end = stop
    assert end == len(data)
    assert (8 + size) % 8 == 0
    return arrays, about


def test_networks_are_written_by_the_names_of_torch_with_the_bits_of_the_run():
    bnpg.train("climbing", policy="mlp:8,4", update="ppo", rounds=2, lanes=64, out="run")
    assert main(["export", "run", "--to", "safetensors", "--out", "there"]) == 0
    for agent, inputs in ((0, 1), (1, 4)):
        arrays, about = decoded(Path("there") / f"agent-{agent}.safetensors")
        shapes = {name: array.shape for name, array in arrays.items()}
        assert shapes == {
            "0.weight": (8, inputs), "0.bias": (8,), "2.weight": (4, 8), "2.bias": (4,),
            "4.weight": (3, 4), "4.bias": (3,),
        }  # fmt: skip
        held = load_snapshots(Path("run") / "agents" / f"agent-{agent}")[2].theta
        assert all((arrays[name] == held[name]).all() for name in held)
        assert (about["agent"], about["round"], about["policy"]) == (str(agent), "2", "mlp:8,4")


def test_torch_loads_them_by_name_and_computes_the_same():
    torch = pytest.importorskip("torch", reason="needs torch: make torch")
    load = pytest.importorskip("safetensors.torch", reason="needs safetensors: make torch").load_file
    run = bnpg.train("climbing", policy="mlp:8,4", update="ppo", rounds=2, lanes=64, out="run")
    assert main(["export", "run", "--to", "safetensors", "--out", "there"]) == 0
    nn = torch.nn
    net = nn.Sequential(
        nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 3)
    ).double()  # fmt: skip
    net.load_state_dict(load("there/agent-1.safetensors"))
    inputs = np.hstack([np.ones((3, 1)), np.eye(3)])  # the one state, and the parent's action one-hot
    found = torch.log_softmax(net(torch.tensor(inputs)), dim=1).detach().numpy()
    assert np.allclose(np.exp(found), run.policy.tables[1][0], rtol=0, atol=1e-13)


def test_a_table_is_one_array_and_nothing_is_overwritten(capfd):
    run = bnpg.train("climbing", rounds=2, lanes=8, out="run")
    assert main(["export", "run", "--to", "safetensors", "--json"]) == 0
    files = json.loads(capfd.readouterr().out)["files"]
    for file, theta in zip(files, run.thetas, strict=True):
        assert (decoded(Path(file))[0]["theta"] == theta).all()
    assert main(["export", "run", "--to", "safetensors"]) == 2
    assert "nothing is overwritten" in capfd.readouterr().err


def test_a_folder_without_parameters_is_refused_in_a_line(capfd):
    run = bnpg.train("climbing", rounds=1, lanes=8, out="run")
    for file in run.folder.glob("agents/*/theta.slots"):
        file.unlink()
    assert main(["export", "run", "--to", "safetensors"]) == 2
    assert "holds no theta of all agents" in capfd.readouterr().err


@pytest.mark.parametrize("command", ["export run --to safetensors", "play run", "edges run"])
def test_whoever_has_no_parameters_is_named(capfd, command):
    run = bnpg.train("climbing", dag="line", rounds=1, lanes=8, out="run")
    (run.folder / "agents/agent-1/theta.slots").write_bytes(b"to be, or not to be")
    assert main(command.split()) == 2
    assert "run/agents/agent-1/theta.slots has none" in capfd.readouterr().err
    with pytest.raises(InputError, match=r"agent-1/theta\.slots has none"):
        _ = bnpg.load_run("run").thetas


def test_where_the_disk_is_full_nothing_is_left_half_done(capfd, monkeypatch):
    bnpg.train("climbing", rounds=1, lanes=8, out="run")
    written = []

    def full(path: Path, content: bytes) -> None:
        if written:
            raise StorageFailed(f"cannot write {path}: No space left on device")
        written.append(path)
        path.write_bytes(content)

    with monkeypatch.context() as patched:
        patched.setattr(parameters, "write_named", full)
        assert main(["export", "run", "--to", "safetensors"]) == 7
    assert capfd.readouterr().err == (
        "bnpg: error: cannot write run/exported/agent-1.safetensors: No space left on device\n"
    )
    assert written
    assert not Path("run/exported").exists()
    assert main(["export", "run", "--to", "safetensors"]) == 0
