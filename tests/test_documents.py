"""The documents say what the code does: each claim that can be compared with the code is."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from bnpg_coordinator.environments import world
from bnpg_coordinator.experiment import experiment_settings
from bnpg_coordinator.worlds import factored, indexed
from bnpg_protocol.process.transport import stream, unix, zeromq
from bnpg_protocol.wire import codec, letters, link, links, sealed, weight
from bnpg_protocol.wire.exit_codes import ExitCode
from bnpg_protocol.wire.messages import KINDS
from bnpg_protocol.wire.version import PROTOCOL_VERSIONS

from bnpg.cli.root import bnpg

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")])
PROTOCOL = (DOCS / "protocol.md").read_text(encoding="utf-8")
INCLUDED = {
    (page.parent / name).resolve()
    for page in DOCS.rglob("*.md")
    for name in re.findall(r"^```\{include\} (\S+)", page.read_text(encoding="utf-8"), re.MULTILINE)
}
"""Parts of other pages."""
LINK = re.compile(r"\]\(([^)\s]+)\)")


def _rows(text: str) -> Iterator[list[str]]:
    """The cells of every table row."""
    for line in text.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def _documented_messages() -> dict[str, list[str]]:
    """The fields of every message that `docs/protocol.md` lists, by kind, in its order."""
    found: dict[str, list[str]] = {}
    kind = ""
    for cells in _rows(PROTOCOL[PROTOCOL.index("## Messages") : PROTOCOL.index("## Joining")]):
        if len(cells) != 5 or cells[0] in ("kind", "---"):
            continue
        if cells[0]:
            kind = cells[0].strip("`")
            found[kind] = []
        found[kind] += re.findall(r"`(\w+)`", cells[2])
    return found


def _console_commands() -> list[tuple[Path, str]]:
    """Every `bnpg ..` in the console blocks of the documents."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```console\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            lines = re.sub(r"\\\n\s*", "", block).splitlines()
            found += [(page, line[2:]) for line in lines if re.match(r"\$ \S*\bbnpg ", line)]
    return found


def _anchors(page: Path) -> set[str]:
    """The anchors that the headings of a page make, as forges and MyST do."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _next(page: Path) -> set[Path]:
    """The pages that a page leads to, by links and tables of contents."""
    text = page.read_text(encoding="utf-8")
    found = {(page.parent / target.split("#")[0]).resolve() for target in LINK.findall(text)}
    for block in re.findall(r"^```\{toctree\}\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        entries = [line for line in block.splitlines() if line and not line.startswith(":")]
        for entry in entries:
            name = re.sub(r".*<(.*)>", r"\1", entry)
            found |= {match.resolve() for match in page.parent.glob(f"{name}.md")}
    return {target for target in found if target.is_relative_to(DOCS) and target.suffix == ".md"}


def test_the_protocol_lists_every_message_with_its_fields_in_wire_order() -> None:
    assert _documented_messages() == {name: list(kind.__struct_fields__) for name, kind in KINDS.items()}


def test_the_protocol_puts_every_message_inside_or_outside_the_order_as_the_code_does() -> None:
    outside = PROTOCOL[PROTOCOL.index("### Outside the order") : PROTOCOL.index("### In order")]
    named = {cells[0].strip("`") for cells in _rows(outside) if cells[0].startswith("`")}
    assert named == {name for name, kind in KINDS.items() if not kind.sequenced}


def test_the_protocol_lists_the_envelope_in_wire_order() -> None:
    rows = [cells for cells in _rows(PROTOCOL) if cells[0].isdigit() and len(cells) == 4]
    assert [cells[1].strip("`") for cells in rows] == list(codec._HEADER_FIELDS)
    assert [int(cells[0]) for cells in rows] == list(range(12))


@pytest.mark.parametrize(
    ("constant", "value"),
    [
        ("WINDOW", link.WINDOW),
        ("PATIENCE", link.PATIENCE),
        ("LONGEST_PATIENCE", link.LONGEST_PATIENCE),
        ("ACKNOWLEDGE_AFTER", link.ACKNOWLEDGE_AFTER),
        ("ACKNOWLEDGE_EVERY", link.ACKNOWLEDGE_EVERY),
        ("EARLY", links.EARLY),
        ("EARLY_BYTES", weight.EARLY_BYTES),
        ("EARLY_BYTES_OF_ALL", weight.EARLY_BYTES_OF_ALL),
        ("HELD_BYTES", weight.HELD_BYTES),
        ("WINDOW_BYTES", weight.WINDOW_BYTES),
        ("AHEAD_BYTES", weight.AHEAD_BYTES),
    ],
)
def test_the_protocol_gives_the_constants_of_a_link(constant: str, value: float) -> None:
    [cells] = [cells for cells in _rows(PROTOCOL) if cells[0] == f"`{constant}`"]
    assert float(cells[1].split()[0]) == value


@pytest.mark.parametrize(
    ("row", "written", "value", "expected"),
    [
        ("states that", "2³², as `<u4` numbers them; 2²⁴ in a simulator or a `FactoredWorld`",
         (indexed.LARGEST_SPACE, factored.LARGEST_VIEW), (2**24, 2**24)),
        ("actions of an agent", "65 536", world.MOST_ACTIONS, 65536),
        ("bytes of a header", "65 536", codec.MAX_HEADER, 65536),
        ("bytes of a tensor", "2³⁰", codec.MAX_TENSOR, 2**30),
        ("axes of a tensor", "64", codec.MAX_AXES, 64),
        ("characters of the reason", "2000", letters.LONGEST, 2000),
        ("bytes of a sealed", "2²⁴", sealed.LARGEST, 2**24),
        ("unacknowledged", "1024, and 2²⁸ bytes", (link.WINDOW, weight.WINDOW_BYTES), (1024, 2**28)),
        ("bytes that a peer", "2²⁴ early, 2²⁶ behind a gap, 2²⁶ ahead",
         (weight.EARLY_BYTES, weight.HELD_BYTES, weight.AHEAD_BYTES), (2**24, 2**26, 2**26)),
        ("messages queued", "4096, and 256 MiB", (stream.HIGH_WATER, stream.QUEUED_BYTES), (4096, 2**28)),
        ("messages kept", "256 a route", (unix.STASH, zeromq.STASH), (256, 256)),
        ("bytes the kernel", "4 MiB", stream.ON_THE_WAY, 2**22),
        ("connections that have not", "64, 5 s each", (unix.STRANGERS, unix.GREET_WITHIN), (64, 5.0)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_the_protocol_gives_the_limits_of_the_code(
    row: str, written: str, value: object, expected: object
) -> None:
    [cells] = [cells for cells in _rows(PROTOCOL) if cells[0].startswith(row)]
    assert cells[1].startswith(written)
    assert value == expected


def test_who_runs_out_of_descriptors_lets_nobody_in_for_a_tenth_of_a_second() -> None:
    assert "lets nobody in for a tenth of a second" in PROTOCOL
    assert unix.BREATHE == 0.1


def test_every_reject_code_is_documented() -> None:
    package = ROOT / "coordinator" / "bnpg_coordinator"
    source = (package / "membership.py").read_text() + (package / "machine.py").read_text()
    codes = set(re.findall(r'Reject\(\s*"(\w+)"', source))
    documented = PROTOCOL[PROTOCOL.index("| `Reject.code`") : PROTOCOL.index("All but `over`")]
    assert codes == {cells[0].strip("`") for cells in _rows(documented)} - {"Reject.code", "---"}


def test_every_exit_code_is_documented() -> None:
    text = (DOCS / "reference" / "exit-codes.md").read_text(encoding="utf-8")
    documented = {int(cells[0]): cells[1].strip("`") for cells in _rows(text) if cells[0].isdigit()}
    assert documented == {int(code): code.name for code in ExitCode}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = [target for target in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in target]
    missing = [target for target in targets if not (page.parent / target.split("#")[0]).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_anchor_is_a_heading(page: Path) -> None:
    links = [target.split("#") for target in LINK.findall(page.read_text(encoding="utf-8")) if "#" in target]
    lost = [
        f"{target}#{anchor}"
        for target, anchor in (link for link in links if "://" not in link[0])
        if anchor not in _anchors(page.parent / target if target else page)
    ]
    assert lost == []


def test_the_index_leads_to_every_page() -> None:
    reached: set[Path] = set()
    pending = {DOCS / "index.md"}
    while pending:
        reached |= pending
        pending = {found for page in pending for found in _next(page)} - reached
    pages = {page for page in DOCS.rglob("*.md") if page not in INCLUDED}
    assert {str(page.relative_to(DOCS)) for page in pages - reached} == set()


def test_the_protocol_page_is_of_the_version_that_is_spoken() -> None:
    assert PROTOCOL.startswith(f"# The wire protocol, version {PROTOCOL_VERSIONS[-1]}\n")


def test_every_setting_of_an_experiment_says_what_it_means() -> None:
    for setting in experiment_settings():
        assert setting.setting.meaning.endswith("."), setting.key


@pytest.mark.parametrize(
    ("page", "line"), _console_commands(), ids=lambda value: value.name if isinstance(value, Path) else None
)
def test_every_command_shown_exists_with_its_options(page: Path, line: str) -> None:
    words = re.sub(r"[\"'].*?[\"']", "QUOTED", line).split()
    words = words[next(at for at, word in enumerate(words) if re.fullmatch(r"(\S*/)?bnpg", word)) + 1 :]
    command: click.Command = bnpg
    context = click.Context(command)
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        name = words.pop(0)
        chosen = command.get_command(context, name)
        assert chosen is not None, f"there is no command {name!r}"
        command = chosen
    known = {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    known |= {"-h", "--help"}
    ends = ("|", ">", "&", "&&", ";", "#")
    stop = next((at for at, word in enumerate(words) if word in ends), len(words))
    options = {word.split("=")[0] for word in words[:stop] if re.match(r"--?[a-z]", word)}
    assert options - known == set()


def test_decisions_have_numbers_of_their_own() -> None:
    numbers = [page.name[:4] for page in (ROOT / "docs" / "decisions").glob("[0-9]*.md")]
    assert len(numbers) == len(set(numbers)), sorted(numbers)


SHOWN_IN = re.compile(r"`(tests/[\w./-]+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tests_that_a_page_names_are_there(page: Path) -> None:
    named = SHOWN_IN.findall(page.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize(
    "section", re.split(r"^##+ ", PROTOCOL, flags=re.MULTILINE)[1:], ids=lambda text: text.split("\n")[0]
)
def test_every_section_of_the_protocol_says_what_shows_it(section: str) -> None:
    if not section.startswith(("Outside the order", "In order")):
        assert SHOWN_IN.search(section)
