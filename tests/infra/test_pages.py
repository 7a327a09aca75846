"""What pages say of the tree is so, and their tables are whole."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

import chalicelib
from infra.settings import ROOT
from infra.tables import table_definitions

PAGES = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
README_WORDS_MAX = 900
RULE_NUMBER = re.compile(r"\b[TRKEO]\d{1,3}\b", re.ASCII)
ROW, RULE = re.compile(r"^\|.*\|$"), re.compile(r"^\|( :?-+:? \|)+$")


def modules(folder: Path) -> list[str]:
    """Return the modules and packages of a folder, without what Python itself names."""
    found = [one.stem if one.is_file() else one.name for one in folder.iterdir() if one.suffix == ".py" or one.is_dir()]
    return sorted(name for name in found if not name.startswith("__"))


def section(page: str, title: str) -> str:
    text = (ROOT / page).read_text(encoding="utf-8")
    return text.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_the_architecture_says_what_each_module_of_infra_is() -> None:
    rows = [
        line
        for line in section("docs/architecture.md", "Where the files of `infra/` are").splitlines()
        if "`infra/" in line
    ]
    named = set(re.findall(r"`(?:\w+/)*(\w+)(?:\.py|/)`", "\n".join(rows)))
    assert [name for name in modules(ROOT / "infra") if name not in named] == []


def test_the_architecture_names_each_room_and_each_table() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    floors = section("docs/architecture.md", "The floors")
    assert [name for name in modules(ROOT / "chalicelib") if f"chalicelib/{name}" not in floors] == []
    rows = re.findall(r"^\| `(\w+)` \|", section("docs/architecture.md", "The tables"), re.MULTILINE)
    assert sorted(rows) == sorted(
        definition.name.removeprefix("x-").replace("-", "_") for definition in table_definitions("x")
    )
    for path in re.findall(
        r"`((?:chalicelib|infra|domain|services|tables|apis|tests)/[\w/]+(?:\.py|\.yaml|/)?)`", text
    ):
        assert any((ROOT / base / path).exists() for base in ("", "chalicelib")), path


def test_no_page_names_a_module_that_is_gone() -> None:
    for page in PAGES:
        for path in re.findall(r"`([a-z_]+/[\w/]+(?:\.py|\.yaml|/))`", page.read_text(encoding="utf-8")):
            assert any((ROOT / base / path).exists() for base in ("", "chalicelib", "tests", "docs")), (
                f"{page.name}: {path}"
            )


def test_each_rule_that_the_code_names_by_its_number_is_on_a_page() -> None:
    pages = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").rglob("*.md"))
    named = {
        number
        for folder in ("chalicelib", "client", "infra")
        for module in (ROOT / folder).rglob("*.py")
        for number in RULE_NUMBER.findall(module.read_text(encoding="utf-8"))
    }
    assert sorted(named - set(RULE_NUMBER.findall(pages))) == []


def test_each_rule_has_a_number_of_its_own() -> None:
    pages = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").rglob("*.md"))
    rules = re.findall(rf"^ *- \*\*({RULE_NUMBER.pattern})\*\*", pages, re.MULTILINE)
    assert sorted(number for number, count in Counter(rules).items() if count > 1) == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) < README_WORDS_MAX


def test_the_index_of_the_docs_names_every_page() -> None:
    for index, folder in (
        (ROOT / "docs/README.md", ROOT / "docs"),
        (ROOT / "docs/decisions/README.md", ROOT / "docs/decisions"),
    ):
        text = index.read_text(encoding="utf-8")
        assert [page.name for page in folder.glob("*.md") if page != index and f"({page.name})" not in text] == []


def test_the_package_says_in_which_room_each_module_is() -> None:
    named = set(re.findall(r"``(\w+)``", chalicelib.__doc__ or ""))
    here = set(modules(ROOT / "chalicelib"))
    assert here <= named
    rooms = [ROOT / "chalicelib" / name for name in here if (ROOT / "chalicelib" / name).is_dir()]
    inside = {name for room in rooms for name in modules(room)}
    assert named <= here | inside


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_blank_line_cuts_a_table(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    for number, (before, line) in enumerate(zip(["", *lines], lines, strict=False)):
        if ROW.match(line) and not ROW.match(before):
            assert RULE.match(lines[number + 1]), f"line {number + 1} is a row without a head"


LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for path, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {path}"
        assert not anchor or anchor in anchors(target), f"{page.name} links to {path}#{anchor}"
