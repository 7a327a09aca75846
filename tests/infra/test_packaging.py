"""What Lambda gets, what make installs and what pyproject says are in step."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import requires

from packaging.requirements import Requirement
from packaging.version import Version

from infra.settings import ROOT

ADDED_BY_CHALICES_PACKAGER = {"chalice"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


FOR_THE_COMMAND_LINE = {"iso4217", "tqdm"}
"""What no function needs; the command line imports it where it is used."""


def name_of(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text).lower()


def pins(file: str) -> dict[str, str]:
    """Return name and version of each line; every line has to be an exact pin."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def wanted(dependencies: list[str]) -> list[Requirement]:
    found = [Requirement(text) for text in dependencies]
    return [one for one in found if one.marker is None or one.marker.evaluate({"extra": ""})]


def with_all_that_they_need(names: set[str]) -> set[str]:
    found: set[str] = set()
    while names:
        found |= names
        names = {name_of(one.name) for name in names for one in wanted(requires(name) or [])} - found
    return found


RUNTIME = {name_of(Requirement(text).name) for text in PROJECT["dependencies"]}


def test_lambda_gets_the_runtime_dependencies_with_all_that_they_need_and_nothing_else() -> None:
    assert set(pins("requirements.txt")) == with_all_that_they_need(
        RUNTIME - ADDED_BY_CHALICES_PACKAGER - FOR_THE_COMMAND_LINE
    )


def test_lambda_gets_the_versions_that_were_tested() -> None:
    constraints = pins("constraints.txt")
    assert pins("requirements.txt").items() <= constraints.items()


def test_every_dependency_is_pinned_within_its_bounds() -> None:
    constraints = pins("constraints.txt")
    dependencies = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    for one in wanted(dependencies):
        assert one.specifier.contains(Version(constraints[name_of(one.name)])), one.name


def test_every_dependency_of_a_dependency_is_pinned() -> None:
    direct = {name_of(one.name) for one in wanted([*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]])}
    assert with_all_that_they_need(direct) <= set(pins("constraints.txt"))


def test_a_functions_start_does_not_wait_for_what_only_signatures_need() -> None:
    """eth-account takes half a second to import."""
    code = "import sys, app; print(*sorted({'eth_account', 'eth_utils', 'jwt'} & set(sys.modules)))"
    started = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert started.stdout.strip() == ""
