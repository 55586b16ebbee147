"""Launchers and pools are found by name; one that lacks its package says so in one line."""

from importlib.metadata import EntryPoint

import pytest

from bnpg.launchers import registry
from bnpg.launchers.registry import Engine, find_launcher, find_pool
from bnpg_math.errors import InputError


def test_ours_are_there() -> None:
    from bnpg.launchers import local, memory

    assert find_launcher("local") is local.launch
    assert find_launcher("memory") is memory.launch
    assert find_pool("local").__name__ == "Workers"


def test_a_package_brings_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def others(group: str) -> list[EntryPoint]:
        assert group == "bnpg.launchers"
        return [EntryPoint("elsewhere", "json:loads", group)]

    monkeypatch.setattr(registry, "entry_points", others)
    import json

    assert find_launcher("elsewhere") is json.loads


def test_who_is_not_there_is_named_with_those_who_are() -> None:
    with pytest.raises(InputError, match=r"--launcher: expected one of .*local, memory.*, got nowhere"):
        find_launcher("nowhere")


def test_what_is_missing_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.LAUNCHERS, "far", Engine("no.such", "launch", "no_such_package", "far"))
    with pytest.raises(InputError) as caught:
        find_launcher("far")
    expected = "--launcher far needs no_such_package, which is not installed: pip install 'bnpg[far]'"
    assert str(caught.value) == expected
