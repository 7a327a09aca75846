"""The ends of logs: as of the call, whatever is remembered of earlier ones."""

from __future__ import annotations

from random import Random

import pytest

from chalicelib.domain.feed.cursor import BEGINNING, Place
from chalicelib.domain.feed.logs import SIGNED_AREA, lanes_of
from chalicelib.services.feed.ends import Ends
from chalicelib.services.feed.logs import BookEvents, StoredLog, log_of_book, log_of_lane
from chalicelib.services.feed.looking import Looks
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.outbox import REMEMBERED_S
from tests.services.feed.writing import ANN, INSTANCE, Logs, other_tables


class Asked:
    """Ends of the lanes of signed orders and of a book's journal, at a time that tests set."""

    def __init__(self, database: Database) -> None:
        self.logs = Logs(database)
        self.logs.make_book("ob_1")
        self.now_s = 1000.0
        reader = self.logs.feed._database
        self.ends = Ends(reader, Looks(reader), lambda: self.now_s)
        self.stored = [log_of_lane(INSTANCE, lane) for lane in lanes_of(SIGNED_AREA)]
        self.stored.append(log_of_book(BookEvents(database), INSTANCE, "ob_1"))

    def of_all(self) -> dict[str, Place]:
        self.logs.calls.clear()
        self.logs.keys = 0
        return _by_name(self.ends.of(self.stored))

    def read(self) -> dict[str, Place]:
        """Return the ends as the tables have them."""
        return _by_name(Ends(self.logs.database, Looks(self.logs.database)).of(self.stored))


def _by_name(ends: dict[StoredLog, Place]) -> dict[str, Place]:
    return {log.name: end for log, end in ends.items()}


@pytest.fixture
def asked(memory_database: Database) -> Asked:
    return Asked(memory_database)


def test_ends_are_those_of_the_call_whatever_was_put_since_the_last_one(asked: Asked) -> None:
    chance = Random(3)
    assert set(asked.of_all().values()) == {BEGINNING}
    for _ in range(60):
        for _ in range(chance.randrange(4)):
            asked.logs.put(chance.randrange(8), ANN)
        if chance.random() < 0.3:
            asked.logs.journal("ob_1", "ann")
        asked.now_s += chance.choice((0, 1, REMEMBERED_S))
        assert asked.of_all() == asked.read()


def test_asking_again_costs_one_call_and_a_query_of_each_log_that_has_gone_on(asked: Asked) -> None:
    asked.logs.put(5, ANN)
    asked.of_all()
    assert asked.logs.calls == {"query": len(asked.stored)}
    asked.of_all()
    assert (asked.logs.calls, asked.logs.keys) == ({"batch_get_item": 1}, len(asked.stored))
    asked.logs.put(5, ANN)
    asked.logs.put(6, ANN)
    asked.of_all()
    assert asked.logs.calls == {"batch_get_item": 1, "query": 2}


def test_an_end_is_forgotten_before_a_table_can_have_been_restored(asked: Asked) -> None:
    for _ in range(3):
        asked.logs.put(5, ANN)
    known = asked.of_all()
    restored = Asked(other_tables())
    restored.ends._remembered = asked.ends._remembered
    restored.logs.put(5, ANN)
    restored.now_s += REMEMBERED_S - 1
    assert restored.of_all() == known
    restored.now_s += 1
    assert restored.of_all() == restored.read() != known
