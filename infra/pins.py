"""Installs the packages pinned in ``constraints.txt``, and renews the pins. Runs on plain Python, before any package.

``python infra/pins.py install run`` installs what ``make run`` needs, ``install mcp`` what ``tallybook mcp`` needs too,
``install dev`` tests and linters. Each file is checked against its SHA-256; pip's output is shown if it fails.
``python infra/pins.py renew`` rewrites ``constraints.txt`` and ``requirements.txt``: it keeps pinned versions that
satisfy ``pyproject.toml``, and lists the hashes of all their files, for Linux and macOS with Python 3.11 and newer.
Renewing uses uv, which it installs itself.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CLIENT = ROOT / "client"
"""A package of its own, which the command line and tests use."""
CONSTRAINTS, REQUIREMENTS = ROOT / "constraints.txt", ROOT / "requirements.txt"
TOOLS = ("pip", "setuptools", "wheel")
EXTRAS = {"run": ("run",), "mcp": ("run", "mcp"), "dev": ("run", "mcp", "dev")}
NOT_FOR_LAMBDA = {"chalice", "cyclopts", "iso4217", "rich"}
"""Chalice's packager adds its own runtime; only the command line needs the others."""
RENEWER = "uv==0.13.9"
OLDEST_PYTHON = "3.11"
OTHER_PLATFORMS = ("sys_platform == 'win32'", "sys_platform == 'emscripten'")
ALL_FILES = ("--universal", "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url")
LINE_EVERY = 10
"""Print progress once for this many packages if the output is no terminal."""
HEADS = {
    CONSTRAINTS: """\
# The exact version of everything that make installs, transitive ones included, with the SHA-256 of each of its files;
# pyproject.toml has the lower bounds. To renew: change versions here or bounds there, "make pins", "make clean test".
# boto3 and botocore stay at what ministack pins, for they share one .venv.
""",
    REQUIREMENTS: """\
# What Lambda gets: pyproject's runtime dependencies with all that they need, as constraints.txt pins them (a test
# compares). Chalice's packager adds its own small runtime itself, so chalice does not stand here; "make pins" writes
# this file.
""",
}


def wanted(extra: str) -> list[str]:
    """Return the requirements in pyproject.toml: the program's, those of an extra, and the client's."""
    extras = _project(ROOT)["optional-dependencies"]
    return [*_runtime(), *_project(CLIENT)["dependencies"], *(one for name in EXTRAS[extra] for one in extras[name])]


def versions(file: Path = CONSTRAINTS) -> dict[str, str]:
    """Return the pinned versions in a file, by package name."""
    return dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", file.read_text(encoding="utf-8"), re.MULTILINE))


def pinned(name: str) -> str:
    """Return a package's lines in constraints.txt: its version and hashes."""
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if line.startswith(f"{name}=="))
    end = next((number for number, line in enumerate(lines) if number > first and line[0] not in " #"), len(lines))
    return "".join(lines[first:end])


def install(extra: str) -> int:
    """Install into the environment of the running Python, each file checked by hash. Return the exit code."""
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    checked = [*pip, "--require-hashes", "--constraint", str(CONSTRAINTS)]
    with tempfile.TemporaryDirectory() as folder:
        newer_pip, names = Path(folder) / "pip.txt", Path(folder) / "names.txt"
        newer_pip.write_text(pinned("pip"), encoding="utf-8")
        names.write_text("\n".join([*TOOLS, *wanted(extra)]), encoding="utf-8")
        for command in (
            [*pip, "--require-hashes", "--requirement", str(newer_pip)],  # by the pip that came with Python
            [*checked, "--requirement", str(names)],
            [*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT), "--editable", str(CLIENT)],
        ):
            if exit_code := _with_progress(command):
                return exit_code
    return 0


def renew() -> None:
    """Rewrite both files. Raises CalledProcessError if no set of versions satisfies pyproject.toml."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(Path(folder) / "venv", with_pip=True)
        python = str(Path(folder) / "venv/bin/python")
        subprocess.run([python, "-m", "pip", "install", "--quiet", RENEWER], check=True)
        before = Path(folder) / "before.txt"
        before.write_text("".join(f"{name}=={version}\n" for name, version in versions().items()), encoding="utf-8")
        lambdas = [one for one in wanted("run") if _name(one) not in NOT_FOR_LAMBDA and one in _runtime()]
        for file, names in ((CONSTRAINTS, [*wanted("dev"), *TOOLS]), (REQUIREMENTS, lambdas)):
            command = [python, "-m", "uv", "pip", "compile", "--quiet", *ALL_FILES, "--no-emit-find-links"]
            command += ["--python-version", OLDEST_PYTHON, "--constraint", str(before), "-"]
            done = subprocess.run(command, input="\n".join(names), stdout=subprocess.PIPE, text=True, check=True)
            file.write_text(HEADS[file] + "".join(_without_other_platforms(done.stdout)), encoding="utf-8")


def _runtime() -> list[str]:
    dependencies: list[str] = _project(ROOT)["dependencies"]
    return dependencies


def _project(folder: Path) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project


def _name(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    return found[0] if found else requirement


def _without_other_platforms(pinned: str) -> Iterable[str]:
    """Yield the pinned lines, without packages that only Windows or a browser needs."""
    is_kept = True
    for line in pinned.splitlines(keepends=True):
        if not line.startswith((" ", "#")):
            is_kept = not any(platform in line for platform in OTHER_PLATFORMS)
        if is_kept:
            yield line


def _with_progress(command: list[str]) -> int:
    """Run pip, counting the packages that it resolves. Return its exit code."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None, "a pipe was asked for"
    said, packages = [], 0
    shown = sys.stdout.isatty()
    for line in process.stdout:
        said.append(line)
        if line.startswith(("Collecting ", "Processing ", "Requirement already")):
            packages += 1
            if shown:
                print(f"\r  packages: {packages}", end="", flush=True)
            elif packages % LINE_EVERY == 0:
                print(f"  packages: {packages}", flush=True)
        elif line.startswith("Installing collected") and packages:
            print(("\r" if shown else "") + f"  packages: {packages}, installing them ...", flush=True)
    if exit_code := process.wait():
        print("".join(said), file=sys.stderr)
    return exit_code


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["install"] and arguments[1:] and arguments[1] in EXTRAS:
        return install(arguments[1])
    if arguments == ["renew"]:
        renew()
        return 0
    print("usage: pins.py install run | install mcp | install dev | renew", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
