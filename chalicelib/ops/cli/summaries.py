"""What each command does, in one line: read from its module's text, which is faster than importing the module."""

from __future__ import annotations

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path


def summary(module: str, name: str) -> str:
    """Return the help of ``name = App(..., help=...)``, or the first line of the function under ``@name.default``."""
    for node in _statements(module):
        match node:
            case ast.Assign(targets=[ast.Name(id=found)], value=ast.Call(keywords=keywords)) if found == name:
                helps = [ast.literal_eval(keyword.value) for keyword in keywords if keyword.arg == "help"]
                if helps:
                    return str(helps[0])
            case ast.FunctionDef(decorator_list=marks) if f"{name}.default" in map(ast.unparse, marks):
                return (ast.get_docstring(node) or "").partition("\n")[0]
    raise LookupError(f"{module}:{name} has no help")


@cache
def _statements(module: str) -> list[ast.stmt]:
    found = find_spec(module)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(module)
    return ast.parse(Path(found.origin).read_bytes()).body
