"""What pages say of the tree is so, and their tables are whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import chalicelib
from infra.settings import ROOT

PAGES = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").glob("*.md"))]
ROW, RULE = re.compile(r"^\|.*\|$"), re.compile(r"^\|( :?-+:? \|)+$")


def modules(folder: Path) -> list[str]:
    """Return the modules and packages of a folder, without what Python itself names."""
    found = [one.stem if one.is_file() else one.name for one in folder.iterdir() if one.suffix == ".py" or one.is_dir()]
    return sorted(name for name in found if not name.startswith("__"))


def section(title: str) -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text.partition(f"## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("folder", ["chalicelib", "infra"])
def test_the_readme_says_what_each_module_is(folder: str) -> None:
    rows = [line for line in section("Where things are").splitlines() if f"`{folder}/" in line]
    named = set(re.findall(r"`(?:\w+/)*(\w+)(?:\.py|/)`", "\n".join(rows)))
    assert [name for name in modules(ROOT / folder) if name not in named] == []


def test_the_readme_names_no_module_that_is_gone() -> None:
    for path in re.findall(r"`((?:chalicelib|infra)/[\w/]+(?:\.py|\.yaml|/))`", section("Where things are")):
        assert (ROOT / path).exists(), path


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
