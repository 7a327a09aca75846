"""The command ``export``: transactions, trades, orders or balances, streamed as CSV or JSON lines (T99)."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from chalicelib import wiring
from chalicelib.apis.book import export_rows
from chalicelib.apis.kit.tabular import Cell, Format
from chalicelib.apis.kit.times import MS, QUERY_TIME, Moment, moment_of
from chalicelib.domain.ledger.tokens import Token
from chalicelib.ops.cli import tenants
from chalicelib.ops.cli.arguments import CUSTOMER, CommandFailed, Printed, add_command, add_group
from chalicelib.services.books.exports import Exports, Span
from chalicelib.services.books.history import HistoryTooLong
from chalicelib.support.clock import now_ms
from chalicelib.support.ids import TIME_MS_MAX
from chalicelib.tables.tokens import Tokens

Rows = Iterator[dict[str, Cell]]


def add_commands(groups: Any) -> None:
    """Add the group ``export``."""
    group = add_group(groups, "export", "rows of the ledger and of orders, as CSV or JSON lines")
    for name, rows, columns, text in (
        ("transactions", _transactions, export_rows.TRANSACTIONS, "what happened to balances, newest first"),
        ("trades", _trades, export_rows.TRADES, "trades of all books, or of one customer, newest first"),
        ("orders", _orders, export_rows.ORDERS, "orders as they are now; of all customers in no order"),
    ):
        command = _add_export(group, name, rows, columns, text)
        command.add_argument(
            "--from", dest="from_ms", type=_first, default=0, metavar="TIME", help="ISO 8601, included"
        )
        help_of_end = "ISO 8601, included; a date is its whole day"
        command.add_argument("--to", dest="to_ms", type=_last, default=TIME_MS_MAX, metavar="TIME", help=help_of_end)
    command = _add_export(group, "balances", _balances, export_rows.BALANCES, "balances, by customer and asset")
    help_of_moment = "as of the end of this moment, ISO 8601; a date is the end of its day (now)"
    command.add_argument("--at", dest="at_ms", type=_last, metavar="TIME", help=help_of_moment)


def _add_export(
    group: Any, name: str, rows: Callable[[argparse.Namespace, Exports], Rows], columns: tuple[str, ...], text: str
) -> argparse.ArgumentParser:
    command = add_command(group, name, lambda options: _export(options, rows, columns), text)
    command.add_argument("--instance", required=True)
    command.add_argument("--customer", type=CUSTOMER, help="this customer alone (all)")
    command.add_argument("--format", type=Format, choices=list(Format), default=Format.CSV, help="csv or jsonl (csv)")
    help_of_output = "a file, which is there only once it is whole (standard output)"
    command.add_argument("--output", type=Path, metavar="FILE", help=help_of_output)
    return command


def _moment(text: str) -> Moment:
    try:
        return moment_of(text, QUERY_TIME)
    except ValueError as error:
        raise argparse.ArgumentTypeError("must be a time or a date in the form of ISO 8601") from error


def _first(text: str) -> int:
    return _moment(text).first(MS)


def _last(text: str) -> int:
    return _moment(text).last(MS)


def _export(
    options: argparse.Namespace, rows: Callable[[argparse.Namespace, Exports], Rows], columns: tuple[str, ...]
) -> Printed:
    """Write the rows as they are read. Nothing is printed beside them where they go to standard output."""
    tenants.tenants().get(options.instance)
    if options.output is None and options.json:
        raise CommandFailed("--json prints one object at the end; rows are printed, unless --output names a file")
    lines = _lines(options.format, columns, rows(options, Exports(wiring.database())))
    if options.output is None:
        for line in lines:
            print(line, end="")
        return {}
    try:
        count = _write(options.output, lines)
    except OSError as error:
        raise CommandFailed(f"not written: {error}") from error
    return {"output": str(options.output), "rows": count}


def _write(file: Path, lines: Iterator[str]) -> int:
    """Write a header and rows to a file, which is there only once it is whole. Return the number of rows."""
    partial, count = file.with_name(f"{file.name}.partial"), 0
    with partial.open("w", encoding="utf-8", newline="") as written:
        for count, line in enumerate(lines):  # noqa: B007 - the header is number 0
            written.write(line)
    os.replace(partial, file)
    return count


def _lines(form: Format, columns: tuple[str, ...], rows: Rows) -> Iterator[str]:
    yield form.header(columns)
    yield from map(form.line, rows)


def _span(options: argparse.Namespace) -> Span:
    return Span(options.from_ms, options.to_ms, options.customer)


def _tokens(options: argparse.Namespace) -> dict[str, Token]:
    return {token.address: token for token in Tokens(wiring.database()).of_instance(options.instance)}


def _transactions(options: argparse.Namespace, exports: Exports) -> Rows:
    tokens = _tokens(options)
    for row in exports.transactions(options.instance, _span(options)):
        yield export_rows.transaction_row(row, tokens, options.customer)


def _trades(options: argparse.Namespace, exports: Exports) -> Rows:
    return map(export_rows.trade_row, exports.trades(options.instance, _span(options)))


def _orders(options: argparse.Namespace, exports: Exports) -> Rows:
    span = _span(options)
    if options.customer is None:
        return map(export_rows.order_row, exports.orders_of_all(options.instance, span))
    return map(export_rows.order_row, exports.orders(options.instance, options.customer, span))


def _balances(options: argparse.Namespace, exports: Exports) -> Rows:
    tokens, at_ms = _tokens(options), options.at_ms
    customers = exports.customers(options.instance) if options.customer is None else [options.customer]
    for customer in customers:
        read_ms = now_ms()
        try:
            balances = exports.balances(options.instance, customer, at_ms)
        except HistoryTooLong as error:
            raise CommandFailed(f"--at is too long ago: {error}") from error
        for balance in balances:
            yield export_rows.balance_row(balance, tokens, read_ms if at_ms is None else at_ms)
