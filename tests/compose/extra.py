"""A package of somebody else's, with a simulator in it, as a wheel beside those of the image."""

import zipfile
from pathlib import Path

NAME = "signpost-1.0-py3-none-any.whl"
MODULE = '''"""A simulator of its own."""

import numpy as np

import bnpg


def make():
    press = np.array([[0.9, 0.1], [0.1, 0.9]])
    return bnpg.FactoredWorld(
        sizes=(2, 2),
        actions=(2, 2),
        components=[bnpg.Component(press, agents=(agent,)) for agent in range(2)],
        rewards=[bnpg.RewardTerm(np.eye(2), agents=(0, 1))],
        initial=(0, 0),
        gamma=0.8,
        sees=[(0,), (1,)],
    )
'''


def extra_wheel(project: Path) -> str:
    """Put the wheel where the image looks for wheels, unless it is there; return its name."""
    path = project / "deploy" / "wheelhouse" / NAME
    if not path.exists():
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr("signpost.py", MODULE)
            info = "signpost-1.0.dist-info"
            wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: signpost\nVersion: 1.0\n")
            wheel.writestr(
                f"{info}/WHEEL",
                "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            )
            wheel.writestr(
                f"{info}/RECORD", f"signpost.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
            )
    return NAME
