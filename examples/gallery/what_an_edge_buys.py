# %% [markdown]
# # What an edge buys, and what it costs
#
# An edge lets an agent see what another one does before it acts. That makes more joint policies possible, and
# each step slower: whoever waits for a parent's action waits for a message. Here both are measured, on the
# climbing game for three agents.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

import bnpg

FIGURES = Path("figures")
FIGURES.mkdir(exist_ok=True)
scratch = tempfile.TemporaryDirectory(prefix="bnpg-gallery-")
plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left"}
INK, WARM, FAINT = "#0b3c5d", "#d1495b", "#9a9a9a"

DAGS = {
    "empty": "no edge",
    "0-1": "one edge",
    "0-2,1-2": "two parents",
    "star": "star",
    "line": "line",
    "complete": "complete",
}

# %% [markdown]
# ## What it buys
#
# Exact updates from a team that plays every action alike.

# %%
learnt = {
    dag: bnpg.train(
        "climbing3", dag=dag, mode="exact", rounds=200, learning_rate=1.0, regularization=0.1,
        evaluate_every=200, fsync=False, out=Path(scratch.name, f"learnt-{dag}"),
    )
    for dag in DAGS
}  # fmt: skip

# %% [markdown]
# ## What it costs
#
# The same teams as real processes, on a network that delivers every message 5 milliseconds late. The
# coordinator announces the state, the actions run down the DAG, and the last one returns to the coordinator.

# %%
slow = Path(scratch.name, "slow.toml")
slow.write_text('seed = 1\n[[delay]]\ndistribution = "constant"\nseconds = 0.005\n')
STEPS = 8
played = {
    dag: bnpg.train(
        "climbing3", dag=dag, rounds=7, lanes=16, horizon=STEPS, evaluate_every=0, launcher="local",
        faults=slow, fsync=False, out=Path(scratch.name, f"played-{dag}"),
    )
    for dag in DAGS
}  # fmt: skip
# The quickest round: others may have shared the cores with other programs. The first holds the start.
latency = {dag: 1000 * float(run.columns["seconds"][1:-1].min()) / STEPS for dag, run in played.items()}
gap = {dag: run.summary["optimality_gap"] for dag, run in learnt.items()}
for dag, name in DAGS.items():
    edges, depth = len(learnt[dag].dag.edges), learnt[dag].dag.depth
    print(f"{name:<12} {edges} edges, depth {depth}: gap {gap[dag]:5.2f}, {latency[dag]:5.1f} ms a step")

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6), layout="constrained", sharey=True)
nudge = {
    "star": (10, 8),
    "line": (10, 8),
    "complete": (-26, -18),
    "empty": (10, 2),
    "0-1": (10, 2),
    "0-2,1-2": (10, 2),
}
for axis, place in ((left, lambda dag: len(learnt[dag].dag.edges)), (right, lambda dag: latency[dag])):
    for dag, name in DAGS.items():
        good = gap[dag] < 1
        axis.scatter(place(dag), gap[dag], s=75, color=INK if good else WARM, zorder=3, edgecolor="white")
        axis.annotate(
            name,
            (place(dag), gap[dag]),
            textcoords="offset points",
            xytext=nudge[dag],
            color="#333333",
            fontsize=10,
        )
    axis.grid(axis="y", color="#e6e6e6")
    axis.set_ylim(-0.8, 7)
# Star and line have as many edges and the same gap: one label for both on the left.
left.texts[3].set_text("star, line")
left.texts[4].set_text("")
left.texts[5].set_position((10, 8))
left.set(xticks=range(4), xlim=(-0.3, 3.6), xlabel="edges", ylabel="optimality gap after learning")
left.set_title("It matters which edges, more than how many")
right.set(xlabel="milliseconds a step, every message 5 ms late", xlim=(0, 1.25 * max(latency.values())))
right.set_title("The star is as good as the rest, and quicker")
figure.savefig(FIGURES / "what_an_edge_buys.png", dpi=130)

# %% [markdown]
# Two edges into agent 2 buy nothing: agents 0 and 1 still cannot rely on each other. Two edges out of agent
# 0, the star, are enough for the best joint policy, and cost one message of latency; line and complete DAG
# cost two. What is on the critical path is the depth of the DAG, not the number of its edges.
