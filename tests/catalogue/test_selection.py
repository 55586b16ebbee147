"""Filters, order, groups and differences mean what they say."""

from pathlib import Path

import pytest

from bnpg.catalogue.catalogue import Catalogue
from bnpg.catalogue.entry import Entry
from bnpg.catalogue.selection import choose, differing, grouped, middle, order
from bnpg_math.errors import InputError


@pytest.fixture(scope="module")
def entries(one_of_each: Path) -> list[Entry]:
    return Catalogue(one_of_each).entries()


def test_a_term_holds_for_these_runs(term: tuple[str, set[str]], entries: list[Entry]) -> None:
    assert {entry.name for entry in choose(entries, [term[0]])} == term[1]


def test_all_terms_must_hold(entries: list[Entry]) -> None:
    chosen = choose(entries, ["climbing", "seed=1", "dag=line"])
    assert [entry.name for entry in chosen] == ["climbing-line-1"]


def test_a_field_that_nobody_has_is_refused_with_a_proposal(entries: list[Entry]) -> None:
    with pytest.raises(InputError, match="did you mean 'learning-rate'"):
        choose(entries, ["learning-rat=1"])


def test_order_is_by_number_and_what_is_missing_comes_last_either_way(entries: list[Entry]) -> None:
    without = Entry("none", Path("none"), "unreadable")
    for by, turned in (("value", False), ("-value", True)):
        ordered = order([without, *entries], by)
        assert ordered[-1] is without
        values = [entry.numbers["value"] for entry in ordered[:-1]]
        assert values == sorted(values, reverse=turned)  # type: ignore[type-var]


def test_what_differs_is_what_is_not_the_same_in_all(entries: list[Entry]) -> None:
    assert differing(entries) == ["game", "dag", "seed"]
    assert differing(choose(entries, ["game=climbing", "dag=line"])) == ["seed"]
    assert differing(entries[:1]) == []


def test_groups_hold_every_run_once(entries: list[Entry], all_runs: set[str]) -> None:
    groups = grouped(entries, ["game", "dag"])
    assert len(groups) == 4
    assert {entry.name for _, members in groups for entry in members} == all_runs
    for values, members in groups:
        for entry in members:
            assert (entry.settings["game"], entry.settings["dag"]) == tuple(values.values())
        values_ = sorted(entry.numbers["value"] or 0.0 for entry in members)
        assert middle(members, "value") == pytest.approx(sum(values_) / 2)
