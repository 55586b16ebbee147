"""The examples that come with bnpg: in an installed package, or in the working folder of a clone."""

import os
import re
import shutil
from pathlib import Path

from bnpg_protocol.process.settings import did_you_mean

from bnpg.named_place import copy_into, made, write_named
from bnpg.run_draft import draft
from bnpg_files.reading import read_bytes, read_text
from bnpg_math.errors import InputError

_HOMES = (Path(__file__).with_name("examples"), Path(__file__).parents[1] / "examples")
_TEXTS = (".md", ".py", ".toml")


def home() -> Path:
    """Return the folder with the examples.

    Raises
    ------
    InputError
        If this installation has none.
    """
    for folder in _HOMES:
        if (folder / "coordination.toml").is_file():
            return folder
    raise InputError("this installation of bnpg has no examples")


def listed() -> dict[str, str]:
    """Return what each example is, by name: `faults/hang.toml`; a program in a folder by the folder."""
    root = home()
    found: dict[str, str] = {}
    for file in sorted(root.rglob("*")):
        if file.suffix in _TEXTS[1:] and file.is_file():
            name = file.relative_to(root)
            if (file.parent / "__main__.py").exists():
                if file.name != "__main__.py":
                    continue
                name = name.parent
            found[name.as_posix()] = _title(file)
    return found


def text_of(name: str) -> str:
    """Return an example as it is; of a program in a folder its beginning, `__main__.py`.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    path = _place(name)
    if path.is_dir():
        main = path / "__main__.py"
        if not main.is_file():
            within = ", ".join(example for example in listed() if example.startswith(f"{name}/"))
            raise InputError(f"{name} is a folder; expected one of {within}, or --out PATH to copy it")
        path = main
    return read_text(path, InputError)


def copied(name: str | None, target: Path) -> Path:
    """Copy an example, or all of them, and return where.

    Raises
    ------
    InputError
        If there is none of that name, or something is there already or cannot be written.
    """
    source = home() if name is None else _place(name)
    if os.path.lexists(target):
        raise InputError(f"{target} exists already and is never overwritten; choose another name")
    text = f"{target} cannot be written"
    if source.is_file():
        with made(target.parent, text):
            write_named(target, read_bytes(source))
        return target
    with draft(target, text) as temporary:
        copy_into(temporary, source, text, shutil.ignore_patterns("__pycache__", "figures"))
        temporary.rename(target)
    return target


def _place(name: str) -> Path:
    root = home()
    known = listed()
    folders = {
        folder for example in known for folder in (example.partition("/")[0],) if (root / folder).is_dir()
    }
    plain = name.removeprefix("examples/").rstrip("/")
    if plain not in known and plain not in folders:
        raise InputError(f"there is no example {name!r}{did_you_mean(plain, (*known, *folders), '; ')}")
    return root / plain


def _title(file: Path) -> str:
    """Return the first sentence that an example says of itself."""
    first = next(
        (
            line
            for line in file.read_text(encoding="utf-8").splitlines()
            if re.search(r"[A-Za-z]{3}", line) and "[markdown]" not in line
        ),
        "",
    )
    words = re.sub(r'^["#\s]+', "", first)
    return re.split(r"(?<=[.?:])\s", words)[0].rstrip(":.")
