"""What commands print: tables for people on a terminal, JSON for programs, and the words of failures."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from cyclopts import Parameter
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from chalicelib.ops.cli.arguments import Printed
from chalicelib.ops.cli.failures import CommandFailed

WIDTH_MAX = 10_000
Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class How:
    """How the result is wanted. wants_json: as one JSON object, even on a terminal."""

    wants_json: bool


Asked = Annotated[How, Parameter(parse=False)]
"""Argument of a command that has to know how its result is wanted."""


@dataclass(frozen=True, slots=True)
class Lines:
    """A result's lines of text. is_for_programs: they are printed into a pipe too, unless --json is given."""

    of: Callable[[Printed], Iterable[str]]
    is_for_programs: bool


def prints(lines: Callable[[Printed], Iterable[str]], *, is_for_programs: bool = False) -> Callable[[Command], Command]:
    """Have a command's result printed as these lines in place of tables."""

    def marked(command: Command) -> Command:
        command.lines = Lines(lines, is_for_programs)  # type: ignore[attr-defined]
        return command

    return marked


def show(printed: Printed, how: How, lines: Lines | None) -> None:
    """Print a command's result to standard output. An empty one is nothing: the command has printed it already."""
    is_for_people = sys.stdout.isatty() and not how.wants_json
    if not printed:
        pass
    elif lines is not None and (is_for_people or (lines.is_for_programs and not how.wants_json)):
        for line in lines.of(printed):
            print(line)
    elif is_for_people:
        show_tables(printed, Console())
    else:
        print(json.dumps(printed))
    sys.stdout.flush()


def show_failure(failure: CommandFailed, how: How) -> None:
    """Print a failure to standard error: words on a terminal, an envelope for programs."""
    if sys.stderr.isatty() and not how.wants_json:
        Console(stderr=True).print(Text.assemble(("tallybook: ", "bold red"), str(failure)), soft_wrap=True)
    else:
        print(json.dumps(failure.envelope()), file=sys.stderr)


def show_tables(printed: Printed, console: Console) -> None:
    """Print a result for people: members by their names, and each list of objects as a table.

    Of a table that is wider than the terminal, each row is printed as its members.
    """
    tables = {name: value for name, value in printed.items() if _is_table(value)}
    _show_members({name: value for name, value in printed.items() if name not in tables}, console)
    for name, rows in tables.items():
        table = _table(rows)
        if not rows:
            console.print(f"no {name}")
        elif Measurement.get(console, console.options.update_width(WIDTH_MAX), table).maximum <= console.width:
            console.print(table)
        else:
            for row in rows:
                console.print()
                _show_members(row, console)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


def _table(rows: list[Printed]) -> Table:
    """Return rows as a table, without columns in which no row has anything."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    names = list(dict.fromkeys(name for row in rows for name in row if row[name] is not None))
    for name in names:
        values = [row.get(name) for row in rows]
        is_number = all(isinstance(value, int) or str(value).isdigit() for value in values)
        table.add_column(name, justify="right" if is_number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(_text(row.get(name))) for name in names))
    return table


def _show_members(members: Printed, console: Console) -> None:
    for name, value in members.items():
        console.print(Text.assemble((f"{name}: ", "bold"), _text(value)), soft_wrap=True)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value)
