"""Lambda's requirements, the installed packages and pyproject.toml agree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from infra.pins import EXTRAS, pinned, versions
from infra.settings import ROOT

ADDED_BY_CHALICES_PACKAGER = {"chalice"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CLIENT = tomllib.loads((ROOT / "client/pyproject.toml").read_text(encoding="utf-8"))["project"]
OF_CLIENT = [*CLIENT["dependencies"], *(one for extra in CLIENT["optional-dependencies"].values() for one in extra)]

FOR_THE_COMMAND_LINE = {"cyclopts", "iso4217", "rich"}
"""What no function needs; the command line imports it where it is used."""


def name_of(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text).lower()


def pins(file: str) -> dict[str, str]:
    """Return name and version of each package; each has to be an exact pin with the SHA-256 of its files."""
    text = (ROOT / file).read_text(encoding="utf-8")
    listed = text.replace(" \\\n", " ").splitlines()
    found = {}
    for line in listed:
        if not line.startswith("#"):
            pin = re.fullmatch(r"([\w.-]+)==([\w.!+]+)(?: ;[^;]*?)?((?: +--hash=sha256:[0-9a-f]{64})+)", line)
            assert pin, line
            found[pin[1]] = pin[2]
    assert found == versions(ROOT / file)
    return found


def wanted(dependencies: list[str]) -> list[Requirement]:
    found = [Requirement(text) for text in dependencies]
    return [one for one in found if one.marker is None or one.marker.evaluate({"extra": ""})]


def with_all_that_they_need(names: set[str]) -> set[str]:
    found: set[str] = set()
    while names:
        found |= names
        names = {name_of(one.name) for name in names for one in wanted(requires(name) or [])} - found
    return found


ALL = [
    *PROJECT["dependencies"],
    *OF_CLIENT,
    *(one for extra in PROJECT["optional-dependencies"].values() for one in extra),
]
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
    for one in wanted(ALL):
        assert one.specifier.contains(Version(constraints[name_of(one.name)])), one.name


def test_every_dependency_of_a_dependency_is_pinned() -> None:
    direct = {name_of(one.name) for one in wanted(ALL)}
    assert with_all_that_they_need(direct) <= set(pins("constraints.txt"))


def test_a_run_is_installed_without_linters_and_tests() -> None:
    assert set(EXTRAS["dev"]) == set(PROJECT["optional-dependencies"])
    of_a_run = {name_of(one.name) for extra in EXTRAS["run"] for one in wanted(PROJECT["optional-dependencies"][extra])}
    assert not with_all_that_they_need(of_a_run | RUNTIME) & {
        "pytest",
        "mypy",
        "ruff",
        "moto",
        "hypothesis",
        "cfn-lint",
        "mcp",
    }


def test_the_pins_name_no_index_and_nothing_for_other_platforms_alone() -> None:
    for file in ("constraints.txt", "requirements.txt"):
        text = (ROOT / file).read_text(encoding="utf-8")
        assert not re.search(r"https?:|--(extra-)?index|--find-links|win32|== 'emscripten'", text)


def test_one_packages_pin_is_its_version_and_hashes() -> None:
    lines = pinned("pip").splitlines()
    assert lines[0] == f"pip=={versions()['pip']} \\"
    assert len(lines) == 3


def test_a_functions_start_does_not_wait_for_what_only_signatures_need() -> None:
    """eth-account takes half a second to import."""
    code = "import sys, app; print(*sorted({'eth_account', 'eth_utils', 'jwt'} & set(sys.modules)))"
    started = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert started.stdout.strip() == ""


def test_the_client_needs_nothing_that_the_service_has_not() -> None:
    assert {name_of(one.name) for one in wanted(OF_CLIENT)} <= RUNTIME


def test_no_function_imports_the_client() -> None:
    code = "import sys, app; print(*(name for name in sys.modules if name.startswith('tallybook_client')))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_client_is_a_wheel_of_its_own_with_its_types(tmp_path: Path) -> None:
    source = tmp_path / "client"
    shutil.copytree(ROOT / "client", source, ignore=shutil.ignore_patterns("*.egg-info", "__pycache__", "build"))
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet", "."]
    subprocess.run([*build, "--wheel-dir", str(tmp_path)], cwd=source, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("tallybook_client-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if not name.startswith("tallybook_client-")}
        archive.extractall(tmp_path / "alone")
    written = {file.relative_to(source).as_posix() for file in source.rglob("*.py")} - {"setup.py"}
    assert packed == {name for name in written if name.startswith("tallybook_client/")} | {"tallybook_client/py.typed"}
    code = "import sys, tallybook_client; print(tallybook_client.__file__, 'chalicelib' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "alone")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(tmp_path / "alone/tallybook_client/__init__.py"), "False"]
