"""Books (table ``books``): each book's settings, the list of an instance's books, and their pairs and symbols (T31).

The table also has the books' depth views (``depth_views``) and failed batches (``batch_failures``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.ledger.owners import book_key
from chalicelib.support.outcomes import ReceiptExists
from chalicelib.tables import book_rows as forms
from chalicelib.tables.batch_failures import BatchFailures, failures_of, parked_key
from chalicelib.tables.book_rows import TABLE
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import Row
from chalicelib.tables.writes import Put, TransactionRefused, Update, Write


class MalformedConfig(ValueError):
    """A book's row that this program cannot have written."""


class BookExists(Exception):
    """A book with this id exists, or an open one with the same pair or symbol (T31)."""


class Books:
    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, config: BookConfig, receipt: Write | None = None) -> None:
        """Store a new book, list it under its instance, and take its pair and symbol (T31).

        receipt: a write of the caller's, done in the same transaction. Raises BookExists, or ReceiptExists if the
        receipt is refused; nothing is changed then.
        """
        book_not_exists = "attribute_not_exists(#part)"
        writes: list[Write] = [
            Put(TABLE, forms.row_of(config), book_not_exists),
            Put(TABLE, forms.listed_key(config), book_not_exists),
        ]
        if forms.takes_names(config):
            name_is_free = "attribute_not_exists(#held_by)"
            values = {":book_id": config.book_id}
            for name in forms.names_of(config):
                writes.append(Update(TABLE, name, "SET #held_by = :book_id", name_is_free, values))
        if receipt is not None:
            writes.append(receipt)
        try:
            self._database.transact(writes, lambda: self._is_created(config))
        except TransactionRefused as error:
            if receipt is not None and len(writes) - 1 in error.refused:
                raise ReceiptExists(config.book_id) from error
            others = {row["held_by"] for row in error.refused.values() if row and "held_by" in row}
            raise BookExists(", ".join([config.book_id, *sorted(others)])) from error

    def _is_created(self, config: BookConfig) -> bool | None:
        found = self.config(book_key(config.instance, config.book_id))
        if found is not None and found.created_at_ms == config.created_at_ms:
            return True if found == config else None
        return False

    def config(self, book: str) -> BookConfig | None:
        """Return a book's configuration, or None. Raises MalformedConfig."""
        found = self.with_failures(book)
        return None if found is None else found[0]

    def configs(self, books: Iterable[str]) -> list[BookConfig]:
        """Return the configurations of these books that there are, in no order."""
        return [*map(forms.config_of, self._database.get_many(TABLE, [*map(forms.config_key, books)]))]

    def with_failures(self, book: str) -> tuple[BookConfig, BatchFailures] | None:
        """Return a book's configuration and failed batches; None if there is no such book. Raises MalformedConfig."""
        try:
            row = self._database.get(TABLE, forms.config_key(book))
            return None if row is None else (forms.config_of(row), failures_of(row))
        except (KeyError, ValueError, TypeError) as error:
            raise MalformedConfig(f"the configuration of {book} cannot be read: {error!r}") from error

    def of_symbol(self, instance: str, symbol: str) -> BookConfig | None:
        """Return the book with this symbol, in any letter case; None if no open book has it."""
        name = self._database.get(TABLE, {"book": instance, "part": forms.symbol_part(symbol)})
        book_id = None if name is None else name.get("held_by")
        return None if book_id is None else self.config(book_key(instance, book_id))

    def change(self, before: BookConfig, after: BookConfig) -> list[Write]:
        """Return the writes that give a book new settings and the next version; a closed book releases its names (T31).

        The first is refused if the book no longer is as ``before``; the others if another book has a name, which cannot
        happen while this book is open. The count of failures stays.
        """
        as_before = "#version = :version_before"
        settings = forms.settings_of(after)
        changes = "SET " + ", ".join(f"#{name} = :{name}" for name in settings)
        values: Row = {f":{name}": value for name, value in settings.items()} | {":version_before": before.version}
        key = forms.config_key(book_key(after.instance, after.book_id))
        writes: list[Write] = [Update(TABLE, key, changes, as_before, values)]
        if forms.takes_names(before) and not forms.takes_names(after):
            name_is_this_books = "#held_by = :book_id"
            values = {":book_id": after.book_id}
            for name in forms.names_of(after):
                writes.append(Update(TABLE, name, "REMOVE #held_by", name_is_this_books, values))
        return writes

    def all_keys(self) -> Iterator[str]:
        """Yield the key of every book of every instance. For operators: scans the table."""
        return (row["book"] for row in self._database.scan(TABLE) if row["part"] == "config")

    def naming_rows(self) -> Iterator[Row]:
        """Yield every configuration as stored, and every row that names a book. For operators: scans the table."""
        return (row for row in self._database.scan(TABLE) if row["part"] == "config" or "/" not in row["book"])

    def ids(self, instance: str) -> list[str]:
        """Return the ids of an instance's books, closed ones too, in order. Costs what it returns."""
        values = {":instance": instance, ":listed": forms.LISTED}
        condition = "#book = :instance AND begins_with(#part, :listed)"
        return [row["part"].removeprefix(forms.LISTED) for row in self._database.query(TABLE, condition, values)]

    def of_instance(self, instance: str) -> list[BookConfig]:
        """Return the configurations of an instance's books, newest first, ties by id. Costs what it returns."""
        found = self.configs(book_key(instance, book_id) for book_id in self.ids(instance))
        return sorted(found, key=lambda config: (config.created_at_ms, config.book_id), reverse=True)


def rows_that_name(config: BookConfig) -> list[Row]:
    """Return the rows by which a book is found: in the instance's list, by pair and by symbol."""
    names = forms.names_of(config) if forms.takes_names(config) else []
    parked = [parked_key(book_key(config.instance, config.book_id))] if config.is_parked else []
    return [forms.listed_key(config), *(name | {"held_by": config.book_id} for name in names), *parked]
