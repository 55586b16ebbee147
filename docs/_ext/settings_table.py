"""Declared settings as a table of a Markdown page."""

import msgspec
from bnpg_protocol.process.settings import Declared, Setting, declared
from msgspec import Struct


def settings_table(kind: type[Struct]) -> str:
    """Every declared setting of a Struct that people are shown, as a Markdown table.

    There are only columns in which something stands.
    """
    shown = [one for one in declared(kind, Setting) if not one.setting.internal]
    columns: dict[str, list[str]] = {
        "key": [f"`{one.key}`" for one in shown],
        "values": [_values(one) for one in shown],
        "unit": [one.setting.unit for one in shown],
        "default": [_default(one) for one in shown],
        "mode": [getattr(one.setting, "mode", "") for one in shown],
        "decides": [getattr(one.setting, "decides", "") for one in shown],
        "meaning": [one.meaning(lambda key: f"`{key}`", lambda typed: f"`{typed}`") for one in shown],
    }
    columns = {title: cells for title, cells in columns.items() if any(cells)}
    rows = [row(list(cells)) for cells in zip(*columns.values(), strict=True)]
    return "\n".join([row(list(columns)), row(["---"] * len(columns)), *rows])


def _values(one: Declared[Setting]) -> str:
    """The values a setting may have; words as a file has them."""
    words = {repr(word): f'`"{word}"`' for word in one.words}
    text = one.expected().replace("an integer of at least", "integer ≥").replace("a finite number", "number")
    text = text.replace("of at least", "≥").replace("greater than", ">").removeprefix("a ")
    for plain, typed in words.items():
        text = text.replace(plain, typed)
    return text


def _default(one: Declared[Setting]) -> str:
    """The default as a file has it."""
    if one.required:
        return "*must be given*"
    if one.default is None:
        return one.setting.remark
    # Of these types, TOML writes what JSON does.
    return f"`{msgspec.json.encode(one.default, enc_hook=str).decode()}`{one.setting.remark}"


def row(cells: list[str]) -> str:
    """Return a row of a Markdown table."""
    return f"| {' | '.join(cells)} |"
