"""What torch would bring the networks of agents: `python -m benchmarks.torch_networks`, with torch installed.

A perceptron with 32 inputs, two hidden layers and 5 outputs, forward, and forward and backward, by
`bnpg_math.networks.mlp` and by torch, in one process with one thread, by turns. CPU time, the least of
several tries, in microseconds. Torch is measured with arithmetic of our own on its tensors and by autograd,
each with the rows all at once and in the tiles that keep a row's bits. Last comes the share of the rows of a
batch whose bits are others when fewer rows are beside them.
"""

import os

for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"  # before anything imports numpy

import argparse  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

from bnpg_math.networks.mlp import backpropagate, initial, outputs  # noqa: E402
from bnpg_math.networks.tiles import CHUNK, TILE  # noqa: E402

WIDTHS, LANES = (64, 128, 256, 512, 1024), (64, 1024)
INPUTS, ACTIONS = 32, 5
Numbers = np.ndarray[Any, Any]
Ways = dict[str, Callable[[], object]]
TILED, WHOLE = "tiles", "whole"


def main(words: Sequence[str] | None = None) -> int:
    """Measure, and print two tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=0.15, help="CPU time a way and try [0.15]")
    parser.add_argument("--tries", type=int, default=5, help="[5]")
    options = parser.parse_args(words)
    import torch

    torch.set_num_threads(1)
    print(f"numpy {np.__version__}, torch {torch.__version__}; microseconds: forward/forward and backward\n")
    for dtype in (np.float64, np.float32):
        names = ("numpy", *(f"torch, {way}, {how}" for way in ("own", "autograd") for how in (TILED, WHOLE)))
        print(f"| {np.dtype(dtype).name} | {' | '.join(names)} | best torch, of the time of numpy |")
        print("|---|" + "---|" * (len(names) + 1))
        for width in WIDTHS:
            for lanes in LANES:
                both = [least(ways(torch, width, lanes, dtype, back), options) for back in (False, True)]
                cells = [f"{both[0][name]:.0f}/{both[1][name]:.0f}" for name in names]
                gain = [min(found[name] for name in names[1:]) / found["numpy"] for found in both]
                cells.append(f"{gain[0]:.2f}/{gain[1]:.2f}")
                print(f"| {width}, {lanes} lanes | {' | '.join(cells)} |", flush=True)
        print()
    print("| rows whose bits depend on who is beside them | numpy, tiles | torch, tiles | torch, whole |")
    print("|---|---|---|---|")
    for dtype in (np.float64, np.float32):
        for width in WIDTHS:
            cells = [f"{share:.0%}" for share in dependent(torch, width, dtype)]
            print(f"| {np.dtype(dtype).name}, {width} | {' | '.join(cells)} |", flush=True)
    return 0


def least(ways_: Ways, options: argparse.Namespace) -> dict[str, float]:
    """Return the least CPU time of a call, in microseconds, each way by turns."""
    calls = {}
    for name, call in ways_.items():
        call()
        began = time.process_time()
        call()
        calls[name] = max(1, int(options.seconds / max(1e-6, time.process_time() - began)))
    found: dict[str, list[float]] = {name: [] for name in ways_}
    for _ in range(options.tries):
        for name, call in ways_.items():
            began = time.process_time()
            for _ in range(calls[name]):
                call()
            found[name].append((time.process_time() - began) / calls[name] * 1e6)
    return {name: min(own) for name, own in found.items()}


def network(width: int, dtype: Any) -> dict[str, Numbers]:
    """Return parameters of a perceptron with two such hidden layers."""
    theta = initial(0, 0, INPUTS, (width, width), ACTIONS, 1.0)
    return {name: array.astype(dtype) for name, array in theta.items()}


def ways(torch: Any, width: int, lanes: int, dtype: Any, back: bool) -> Ways:
    """Return what is timed, by name: each returns logits, or the gradients of all parameters."""
    rng = np.random.default_rng(1)
    theta = network(width, dtype)
    rows = rng.standard_normal((lanes, INPUTS)).astype(dtype)
    pull = rng.standard_normal((lanes, ACTIONS)).astype(dtype)
    held = {name: torch.tensor(array) for name, array in theta.items()}
    input_, pulled = torch.tensor(rows), torch.tensor(pull)
    leaves = {name: array.clone().requires_grad_(True) for name, array in held.items()}
    found: Ways = {}
    if not back:
        found["numpy"] = lambda: outputs(theta, rows)
    else:
        found["numpy"] = lambda: backpropagate(
            theta, lanes, lambda part: rows[part], lambda part, _: pull[part]
        )
    for how in (TILED, WHOLE):
        tiled = how == TILED

        def own(tiled: bool = tiled) -> object:
            with torch.no_grad():
                if not back:
                    return layers(torch, held, input_, tiled)[-1]
                return by_hand(torch, held, input_, pulled, tiled)

        def autograd(tiled: bool = tiled) -> object:
            reached = layers(torch, leaves, input_, tiled)[-1]
            return torch.autograd.grad(reached, list(leaves.values()), pulled) if back else reached

        found[f"torch, own, {how}"], found[f"torch, autograd, {how}"] = own, autograd
    return found


def layers(torch: Any, theta: dict[str, Any], rows: Any, tiled: bool) -> list[Any]:
    """Return what goes into every layer, and last what comes out, as tensors."""
    reached = [rows]
    for layer in (0, 2, 4):
        weight, bias = theta[f"{layer}.weight"], theta[f"{layer}.bias"]
        if tiled:
            tiles = [torch.addmm(bias, tile, weight.T) for tile in reached[-1].split(TILE)]
            sums = torch.cat(tiles) if len(tiles) > 1 else tiles[0]
        else:
            sums = torch.addmm(bias, reached[-1], weight.T)
        reached.append(torch.tanh(sums) if layer < 4 else sums)
    return reached


def by_hand(torch: Any, theta: dict[str, Any], rows: Any, pulled: Any, tiled: bool) -> dict[str, Any]:
    """Return the gradients as `bnpg_math.networks.mlp.backpropagate` makes them."""
    found: dict[str, Any] = {}
    for part in range(0, len(rows), CHUNK):
        reached = layers(torch, theta, rows[part : part + CHUNK], tiled)
        back = pulled[part : part + CHUNK]
        for layer in (2, 1, 0):
            of_weight, of_bias = back.T @ reached[layer], back.sum(0)
            for name, term in ((f"{2 * layer}.weight", of_weight), (f"{2 * layer}.bias", of_bias)):
                found[name] = found[name].add_(term) if name in found else term
            if layer:
                back = (back @ theta[f"{2 * layer}.weight"]) * (1.0 - reached[layer] * reached[layer])
    return found


def dependent(torch: Any, width: int, dtype: Any) -> tuple[float, float, float]:
    """Return the shares of rows that another batch changes: ours, torch in tiles, torch whole."""
    theta = network(width, dtype)
    held = {name: torch.tensor(array) for name, array in theta.items()}
    rows = np.random.default_rng(2).standard_normal((1024, INPUTS)).astype(dtype)

    def tensors(part: Numbers, tiled: bool) -> Numbers:
        with torch.no_grad():
            found: Numbers = layers(torch, held, torch.tensor(part), tiled)[-1].numpy()
        return found

    alone: list[Callable[[Numbers], Numbers]] = [
        lambda part: outputs(theta, part),
        lambda part: tensors(part, True),
        lambda part: tensors(part, False),
    ]
    shares = []
    for call in alone:
        together = call(rows)
        # In tiles of their own, those of tile k are rows 64k.. of the batch; whole, any number of rows.
        sizes = (TILE, 5 * TILE) if len(shares) < 2 else (1, 7, TILE, 5 * TILE)
        other = [np.any(call(rows[:size]) != together[:size], axis=1).mean() for size in sizes]
        shares.append(float(np.mean(other)))
    return shares[0], shares[1], shares[2]


if __name__ == "__main__":
    sys.exit(main())
