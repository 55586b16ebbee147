# %% [markdown]
# # Certificates
#
# A small gradient says more than that learning has slowed down. By Lemma 2, if the gradient of the
# regularised objective is below a threshold, then no agent can gain more than a bound by changing its own
# policy: the team is provably near a Nash equilibrium. Where the DAG is complete, Lemma 3 says the same of
# the best joint policy.
#
# `bnpg.evaluate` (`bnpg evaluate` on the command line) computes gradient, threshold, bound, and what is true.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import bnpg

FIGURES = Path("figures")
FIGURES.mkdir(exist_ok=True)
scratch = tempfile.TemporaryDirectory(prefix="bnpg-gallery-")
plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left"}
INK, WARM, LIGHT, FAINT = "#0b3c5d", "#d1495b", "#7fb2d9", "#9a9a9a"

# %% [markdown]
# ## A policy on its way
#
# The climbing game with an edge, a complete DAG of two agents. The run goes on in stages, each from the
# policy in which the one before ended, and is measured in between.

# %%
LAMBDA = 0.1
marks = [0, 1, 2, 4, 7, 12, 20, 35, 60, 100, 170, 300]
policy, measured = None, []
for before, now in zip([0, *marks], marks, strict=False):
    start = {"dag": "0-1"} if policy is None else {"initial": policy}
    run = bnpg.train(
        "climbing", mode="exact", rounds=now - before, learning_rate=1.0, regularization=LAMBDA,
        evaluate_every=0, fsync=False, out=Path(scratch.name, str(now)), **start,
    )  # fmt: skip
    policy = run.policy
    measured.append(bnpg.evaluate("climbing", policy, regularization=LAMBDA, mismatch=True))


# %%
def statement(lemma: str, form: str = "tight") -> list:
    """Return what a lemma says at each mark."""
    return [next(b for b in one.bounds if (b.lemma, b.form) == (lemma, form)) for one in measured]


for lemma, what in (("lemma_2", "Nash gap"), ("lemma_3", "optimality gap")):
    last = statement(lemma)[-1]
    print(
        f"{lemma}: gradient {last.gradient:.2e} is {'below' if last.met else 'above'} {last.threshold:.2e}; "
        f"{what} {last.measured:.4f}, promised at most {last.bound:.4f}"
    )

# %%
figure, axes = plt.subplots(1, 2, figsize=(12.5, 4.7), layout="constrained", sharey=True)
panels = (
    ("lemma_2", "Nash gap", "Lemma 2: how near to a Nash equilibrium"),
    ("lemma_3", "optimality gap", "Lemma 3: how near to the best joint policy"),
)
x = np.array(marks) + 1
for axis, (lemma, what, title) in zip(axes, panels, strict=True):
    said = statement(lemma)
    met = np.array([one.met for one in said])
    since = x[met.argmax()] if met.any() else x[-1]
    axis.axvspan(since, x[-1] * 1.1, color=LIGHT, alpha=0.18, linewidth=0)
    axis.text(x[-1], 42, "certified", color="#3b6d94", fontsize=10, va="center", ha="right")
    axis.plot(
        x,
        [one.measured for one in said],
        "o-",
        color=INK,
        linewidth=2,
        markersize=4,
        label=f"{what}, measured",
    )
    axis.hlines(said[-1].bound, since, x[-1] * 1.1, color=INK, linestyle=(0, (1, 1.2)), linewidth=2.2,
                label=f"{what}, promised")  # fmt: skip
    axis.plot(
        x, [one.gradient for one in said], color=WARM, linewidth=2, label="gradient, in the lemma's norm"
    )
    axis.axhline(said[-1].threshold, color=WARM, linestyle=(0, (5, 3)), linewidth=1.2, label="its threshold")
    axis.set(xscale="log", yscale="log", xlabel="round + 1", xlim=(1, x[-1] * 1.1), ylim=(2e-6, 90))
    axis.set_title(title)
    axis.grid(color="#ececec", linewidth=0.7)
    axis.legend(frameon=False, fontsize=9, loc="lower left")
figure.savefig(FIGURES / "certificates.png", dpi=130)

# %% [markdown]
# As soon as the gradient falls below its threshold, the promise holds, and it is not a loose one. The bound
# shrinks with the weight of the barrier: a smaller lambda promises more, and takes longer to certify.
#
# The thresholds shown are the tight forms; `Evaluation.bounds` has the printed and the corrected ones as
# well.
