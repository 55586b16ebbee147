"""Settings that are declared once: read, checked and written by their declaration alone."""

import re
import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from bnpg_protocol.process.settings import Setting, SettingError, convert, declared, written
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from bnpg.lab.testing.settings import structs


class Baking(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """Every kind of setting there is."""

    recipe: Annotated[str, Setting("What is baked, at {oven-heat}.")]
    oven_heat: Annotated[
        Annotated[int, Meta(ge=0, le=300)] | Literal["gentle", "fierce"], Setting("How hot.", symbol="HEAT")
    ] = 180
    minutes: Annotated[Annotated[int, Meta(ge=1)], Setting("How long.")] = 30
    portion: Annotated[float, Meta(gt=0), Setting("Of `whole` cakes.", unit="cakes")] = 0.5
    crust: Annotated[Literal["thin", "thick"], Setting("How much of it.")] = "thin"
    salted: Annotated[bool, Setting("With salt.")] = True
    toppings: Annotated[tuple[Literal["figs", "plums"], ...], Setting("On it.")] = ()
    book: Annotated[Path | None, Setting("Where it is written.", remark="by heart")] = None


BY_KEY = {one.key: one for one in declared(Baking, Setting)}


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("oven-heat", -1, "expected an integer of at least 0, 'gentle' or 'fierce', got -1"),
        (
            "oven-heat",
            301,
            "expected an integer of at least 0 and at most 300, 'gentle' or 'fierce', got 301",
        ),
        ("oven-heat", True, "expected an integer of at least 0, 'gentle' or 'fierce', got True"),
        ("oven-heat", 2.5, "expected an integer of at least 0, 'gentle' or 'fierce', got 2.5"),
        ("oven-heat", None, "expected an integer of at least 0, 'gentle' or 'fierce', got None"),
        (
            "oven-heat",
            "fiercly",
            "expected an integer of at least 0, 'gentle' or 'fierce', got 'fiercly'; did you mean 'fierce'?",
        ),
        ("oven-heat", "\udcff", r"expected an integer of at least 0, 'gentle' or 'fierce', got '\udcff'"),
        ("crust", "\udcff", r"expected 'thin' or 'thick', got '\udcff'"),
        ("portion", 0, "expected a finite number greater than 0, got 0"),
        ("portion", float("nan"), "expected a finite number greater than 0, got nan"),
        ("portion", float("inf"), "expected a finite number greater than 0, got inf"),
        ("portion", [1], "expected a finite number greater than 0, got [1]"),
        ("crust", "tick", "expected 'thin' or 'thick', got 'tick'; did you mean 'thick'?"),
        ("salted", "yes", "expected true or false, got 'yes'"),
        ("toppings", ["figs", "plum"], "expected some of 'figs', 'plums', got 'plum'; did you mean 'plums'?"),
        ("recipe", 7, "expected a text, got 7"),
        ("book", 7, "expected a path, got 7"),
        ("recipes", "x", "there is no such setting; did you mean 'recipe'?"),
        ("oven_heat", 3, "there is no such setting; did you mean 'oven-heat'?"),
        ("flour", 3, "there is no such setting; expected one of recipe, oven-heat, minutes"),
    ],
)
def test_an_error_names_the_setting_what_is_expected_and_what_came(key: str, value: Any, says: str) -> None:
    with pytest.raises(SettingError) as caught:
        convert({"recipe": "bread", key: value}, Baking)
    assert str(caught.value).startswith(f"{key}: {says}")
    assert "\n" not in str(caught.value)


def test_what_has_no_default_must_be_given() -> None:
    with pytest.raises(SettingError, match="recipe: must be given"):
        convert({}, Baking)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        (
            "minutes",
            10**5000,
            "expected an integer of at least 1 and less than 2^1024, got an integer of 16610 bits",
        ),
        ("minutes", -(10**5000), "expected an integer of at least 1, got a negative integer of 16610 bits"),
        (
            "minutes",
            2**1024,
            "expected an integer of at least 1 and less than 2^1024, got an integer of",
        ),
        (
            "oven-heat",
            10**5000,
            "expected an integer of at least 0 and at most 300, 'gentle' or 'fierce', got an integer of",
        ),
        ("oven-heat", 10**20, "expected an integer of at least 0 and at most 300, .* got 1000000000000000"),
        ("portion", 10**5000, "expected a finite number greater than 0 and less than 2^1024, got an integer"),
        ("crust", 10**5000, "expected 'thin' or 'thick', got an integer of 16610 bits"),
        ("crust", [10**5000], r"expected 'thin' or 'thick', got [an integer of 16610 bits]"),
        ("salted", 10**5000, "expected true or false, got an integer of 16610 bits"),
        ("toppings", [10**5000], "expected some of 'figs', 'plums', got [an integer of 16610 bits]"),
    ],
    ids=lambda value: "long" if isinstance(value, int) else None,
)
def test_an_integer_too_long_to_be_written_out_is_refused_by_its_size(
    key: str, value: Any, says: str
) -> None:
    with pytest.raises(SettingError) as caught:
        convert({"recipe": "bread", key: value}, Baking)
    assert re.match(f"{key}: {re.escape(says).replace(re.escape('.*'), '.*')}", str(caught.value))


def test_an_integer_that_can_be_written_out_may_be_large() -> None:
    assert BY_KEY["minutes"].checked(2**1024 - 1) == 2**1024 - 1
    with pytest.raises(SettingError, match=r"at least 1 and less than 2\^1024, got '10000"):
        BY_KEY["minutes"].from_text("1" + "0" * 400)


class Unshowable:
    """An object of somebody else's that cannot be shown, nor be a number."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    def __float__(self) -> float:
        raise RuntimeError("no")


def test_an_object_that_cannot_be_shown_is_refused_in_one_line() -> None:
    with pytest.raises(SettingError, match=r"^oven-heat: expected .*, got <Unshowable instance at 0x"):
        BY_KEY["oven-heat"].checked(Unshowable())


def test_a_long_value_is_shown_shortened() -> None:
    with pytest.raises(SettingError) as caught:
        BY_KEY["crust"].checked("thin" * 1000)
    assert len(str(caught.value)) < 150


@given(structs(Baking, {"recipe": st.text(), "book": st.text().map(Path)}))
def test_whatever_is_declared_can_be_typed_and_read_back(fields: dict[str, Any]) -> None:
    baking = convert(fields, Baking)
    for name, one in zip(Baking.__struct_fields__, BY_KEY.values(), strict=True):
        value = getattr(baking, name)
        words = shlex.split(shlex.join(one.arguments(value))) if value is not None else []
        if not one.is_flag and words and value != ():
            text = words[1] if len(words) == 2 else words[0].partition("=")[2]
            assert one.from_text(text) == value


@pytest.mark.parametrize(("text", "value"), [("7", 7), ("gentle", "gentle"), (" 8 ", 8)])
def test_a_text_is_a_number_where_it_can_be_one(text: str, value: Any) -> None:
    assert BY_KEY["oven-heat"].from_text(text) == value


@pytest.mark.parametrize("text", ["", "seven", "1.5", "-1", "1e2", "301"])
def test_a_text_that_stands_for_nothing_is_refused_as_it_came(text: str) -> None:
    with pytest.raises(SettingError, match=f"got {text!r}"):
        BY_KEY["oven-heat"].from_text(text)


def test_a_value_that_looks_like_an_option_is_joined_to_its_own() -> None:
    assert BY_KEY["recipe"].arguments("-x") == ["--recipe=-x"]
    assert BY_KEY["recipe"].arguments("x") == ["--recipe", "x"]
    assert (BY_KEY["salted"].arguments(True), BY_KEY["salted"].arguments(False)) == (
        ["--salted"],
        ["--no-salted"],
    )


def test_a_meaning_is_spelled_as_its_readers_know_it() -> None:
    def typed(word: str) -> str:
        return f"<{word}>"

    assert BY_KEY["recipe"].meaning(lambda key: f"--{key}", typed) == "What is baked, at --oven-heat."
    assert BY_KEY["portion"].meaning(lambda key: f"--{key}", typed) == "Of <whole> cakes."


@given(st.floats(allow_nan=False))
def test_a_number_that_is_written_is_read_back(number: float) -> None:
    assert float(written(number)) == number


def test_defaults_and_choices_are_shown_as_they_are_typed() -> None:
    assert {key: one.shown_default() for key, one in BY_KEY.items()} == {
        "recipe": "", "oven-heat": "180", "minutes": "30", "portion": "0.5", "crust": "thin",
        "salted": "salted", "toppings": "", "book": "",
    }  # fmt: skip
    assert BY_KEY["crust"].metavar() == "[thin|thick]"
    assert BY_KEY["oven-heat"].metavar() == "HEAT|gentle|fierce"
