"""The command ``export``: rows of the ledger and of orders, streamed as CSV or JSON lines (T99); and ``statement``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from chalicelib import wiring
from chalicelib.apis.book import export_rows
from chalicelib.apis.kit.tabular import Cell, Format
from chalicelib.apis.kit.times import MS, QUERY_TIME, Moment, moment_of
from chalicelib.domain.ledger.tokens import Token
from chalicelib.ops.cli import tenants
from chalicelib.ops.cli.arguments import Customer, Instance, Printed, read_by
from chalicelib.ops.cli.failures import CommandFailed
from chalicelib.ops.cli.output import Asked
from chalicelib.services.books.exports import Exports, Span
from chalicelib.services.books.history import HistoryTooLong
from chalicelib.support.clock import now_ms
from chalicelib.support.ids import TIME_MS_MAX
from chalicelib.tables.tokens import Tokens

Rows = Iterator[dict[str, Cell]]


def _moment(text: str) -> Moment:
    try:
        return moment_of(text, QUERY_TIME)
    except ValueError as error:
        raise ValueError("must be a time or a date in the form of ISO 8601") from error


def _first(text: str) -> int:
    return _moment(text).first(MS)


def _last(text: str) -> int:
    return _moment(text).last(MS)


def _by_now(text: str) -> int:
    """Return the last ms of a moment that is not to come (T114)."""
    if _first(text) > now_ms():
        raise ValueError("is in the future")
    return _last(text)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Target:
    """Whose rows, in which form, and where they go."""

    instance: Instance
    customer: Annotated[Customer | None, Parameter(help="this customer alone (all)")] = None
    format: Annotated[Format, read_by(Format, metavar="csv|jsonl")] = Format.CSV
    output: Annotated[
        Path | None,
        Parameter(help="a file, which is there only once it is whole (standard output)", metavar="FILE"),
    ] = None

    def write(self, columns: tuple[str, ...], rows: Rows, asked: Asked) -> Printed:
        """Write the rows as they are read. Nothing is printed beside them where they go to standard output."""
        tenants.tenants().get(self.instance)
        if self.output is None and asked.wants_json:
            raise CommandFailed("--json prints one object at the end; rows are printed, unless --output names a file")
        lines = _lines(self.format, columns, rows)
        if self.output is None:
            for line in lines:
                print(line, end="")
            return {}
        try:
            count = _write(self.output, lines)
        except OSError as error:
            raise CommandFailed(f"not written: {error}") from error
        return {"output": str(self.output), "rows": count}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Period:
    """When the rows happened."""

    first_ms: Annotated[
        int, read_by(_first, "ISO 8601, included", name="--from", metavar="TIME", show_default=False)
    ] = 0
    last_ms: Annotated[
        int,
        read_by(_last, "ISO 8601, included; a date is its whole day", name="--to", metavar="TIME", show_default=False),
    ] = TIME_MS_MAX

    def of(self, customer: str | None) -> Span:
        return Span(self.first_ms, self.last_ms, customer)


_ALWAYS = Period()

STATEMENT_ROWS_MAX = 1000

statement = App(name="statement")
app = App(name="export", help="Rows of the ledger and of orders, as CSV or JSON lines.")


@app.command
def transactions(*, target: Target, period: Period = _ALWAYS, asked: Asked) -> Printed:
    """Write what happened to balances, newest first.

    $ tallybook export transactions --instance inst_demo0001 --from 2027-01-01 \\
        --to 2027-01-31
    """

    def rows() -> Rows:
        tokens, span = _tokens(target.instance), period.of(target.customer)
        for row in Exports(wiring.database()).transactions(target.instance, span):
            yield export_rows.transaction_row(row, tokens, target.customer)

    return target.write(export_rows.TRANSACTIONS, rows(), asked)


@app.command
def trades(*, target: Target, period: Period = _ALWAYS, asked: Asked) -> Printed:
    """Write trades of all books, or of one customer, newest first.

    $ tallybook export trades --instance inst_demo0001 --format jsonl
    """
    found = Exports(wiring.database()).trades(target.instance, period.of(target.customer))
    return target.write(export_rows.TRADES, map(export_rows.trade_row, found), asked)


@app.command
def orders(*, target: Target, period: Period = _ALWAYS, asked: Asked) -> Printed:
    """Write orders as they are now; of all customers in no order.

    $ tallybook export orders --instance inst_demo0001 --customer cust_12345
    """
    exports, span = Exports(wiring.database()), period.of(target.customer)
    found = (
        exports.orders_of_all(target.instance, span)
        if target.customer is None
        else exports.orders(target.instance, target.customer, span)
    )
    return target.write(export_rows.ORDERS, map(export_rows.order_row, found), asked)


@app.command
def balances(
    *,
    target: Target,
    at: Annotated[
        int | None,
        read_by(_by_now, "as of the end of this moment, ISO 8601; a date is the end of its day (now)", metavar="TIME"),
    ] = None,
    asked: Asked,
) -> Printed:
    """Write balances, by customer and asset.

    $ tallybook export balances --instance inst_demo0001
    """
    return target.write(export_rows.BALANCES, _balances(target, at), asked)


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


def _tokens(instance: str) -> dict[str, Token]:
    return {token.address: token for token in Tokens(wiring.database()).of_instance(instance)}


def _balances(target: Target, at_ms: int | None) -> Rows:
    tokens, exports = _tokens(target.instance), Exports(wiring.database())
    customers = exports.customers(target.instance) if target.customer is None else [target.customer]
    for customer in customers:
        read_ms = now_ms()
        try:
            found = exports.balances(target.instance, customer, at_ms)
        except HistoryTooLong as error:
            raise CommandFailed(f"--at is too long ago: {error}") from error
        for balance in found:
            yield export_rows.balance_row(balance, tokens, read_ms if at_ms is None else at_ms)


@statement.default
def show_statement(
    *,
    instance: Instance,
    customer: Customer,
    limit: Annotated[int, Parameter(validator=Number(gte=1, lte=STATEMENT_ROWS_MAX), help="1 to 1000")] = 100,
) -> Printed:
    """Show what changed a customer's balances, newest first.

    $ tallybook statement --instance inst_demo0001 --customer cust_12345
    """
    tenants.tenants().get(instance)
    tokens = _tokens(instance)
    found = Exports(wiring.database()).transactions(instance, _ALWAYS.of(customer))
    rows = [export_rows.transaction_row(row, tokens, customer) for row in islice(found, limit)]
    return {"customer": customer, "rows": rows}
