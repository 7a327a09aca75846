"""All commands of the command line, by their names, and the example in the help of each."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cyclopts import App

from chalicelib.ops import cli

EXAMPLE = re.compile(r"^\$ tallybook ((?:.*\\\n)*.*)", re.MULTILINE)


def every_command() -> dict[str, Callable[..., Any]]:
    """Return the function of each command, by its name: ``book create``."""
    return dict(_commands(cli.APP, ()))


def _commands(app: App, path: tuple[str, ...]) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name in app:
        if not name.startswith("-"):
            command = app[name]
            if command.default_command is not None:
                yield " ".join((*path, name)), command.default_command
            else:
                yield from _commands(command, (*path, name))


def example_of(command: Callable[..., Any], named: Mapping[str, str]) -> list[str]:
    """Return the words of the example in a command's help, without ``tallybook``. named: what stands for KEY_ID ..."""
    (example,) = EXAMPLE.findall(inspect.getdoc(command) or "")
    return [named.get(word, word) for word in shlex.split(example.replace("\\\n", " "))]
