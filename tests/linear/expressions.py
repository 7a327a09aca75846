"""Every regular expression of the program, found in its modules and in its source."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import chalicelib

ROOT = Path(chalicelib.__file__).parent
MATCHING = frozenset(("fullmatch", "match"))
SEARCHING = frozenset(("search", "sub", "split", "findall", "finditer"))
CALLS_OF_OURS = frozenset(("pattern",))
"""Our functions whose first argument is an expression: the type of an argument of the command line."""


@dataclass(frozen=True, slots=True)
class Expression:
    """Those over bytes are given as expressions over text. is_searched: whether it may be looked for within a text."""

    pattern: re.Pattern[str]
    is_searched: bool


def expressions() -> dict[str, Expression]:
    """Return every expression, by where it stands."""
    return dict(_of_modules()) | dict(_of_source())


def _of_modules() -> Iterator[tuple[str, Expression]]:
    for module_info in pkgutil.walk_packages([str(ROOT)], "chalicelib."):
        if module_info.name.endswith("__main__"):
            continue
        module = importlib.import_module(module_info.name)
        for name, value in list(vars(module).items()):
            for number, pattern in enumerate(_patterns_in(value)):
                yield f"{module_info.name}.{name}[{number}]", Expression(_over_text(pattern), True)


def _patterns_in(value: object) -> Iterable[re.Pattern[str] | re.Pattern[bytes]]:
    if isinstance(value, re.Pattern):
        return [value]
    if isinstance(value, dict):
        return [each for each in value.values() if isinstance(each, re.Pattern)]
    if isinstance(value, list | tuple | set | frozenset):
        return [each for each in value if isinstance(each, re.Pattern)]
    return []


def _over_text(pattern: re.Pattern[str] | re.Pattern[bytes]) -> re.Pattern[str]:
    if isinstance(pattern.pattern, bytes):
        return re.compile(pattern.pattern.decode("latin-1"), pattern.flags | re.ASCII)
    return re.compile(pattern.pattern, pattern.flags)


def _of_source() -> Iterator[tuple[str, Expression]]:
    """Yield expressions that are written where they are used."""
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name, first = _name_of(node.func), node.args[0]
                text = first.value if isinstance(first, ast.Constant) else None
                if name in MATCHING | SEARCHING | CALLS_OF_OURS and isinstance(text, str):
                    where = f"{path.relative_to(ROOT)}:{node.lineno}"
                    yield where, Expression(re.compile(text), name in SEARCHING)


def _name_of(function: ast.expr) -> str:
    """Return what is called, of the module re or of ours; an empty text for anything else."""
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "re":
        return function.attr
    return function.id if isinstance(function, ast.Name) and function.id in CALLS_OF_OURS else ""
