"""Where logs end: the place behind each log's last entry.

::

    an end that is remembered --> is there an entry behind it? one BatchGetItem for all logs --> no: it is the end
                                                                                               yes: a query of its log

Most logs of an instance rest most of the time, and whoever subscribes or resumes asks for all their ends. They are
remembered for as long as a writer remembers a lane's (``tables.outbox``), because a log may be restored meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from chalicelib.domain.feed.cursor import BEGINNING, Place
from chalicelib.services.feed.logs import EntryAt, StoredLog
from chalicelib.services.feed.looking import Looks
from chalicelib.support.bounded_cache import BoundedCache
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.outbox import REMEMBERED_MAX, REMEMBERED_S


class Ends:
    """clock: seconds that only rise, to forget ends by."""

    def __init__(self, database: Database, looks: Looks, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._looks = looks
        self._clock = clock
        self._remembered: BoundedCache[EntryAt, tuple[float, Place]] = BoundedCache(REMEMBERED_MAX)
        """By where a log's first entry stands: when its end was read from the log, and that end."""

    def of(self, logs: Sequence[StoredLog]) -> dict[StoredLog, Place]:
        """Return the place behind the last entry that each log had when it was called. One call for each hundred logs
        whose ends are remembered, and a query for each other one, and for each that has gone on. Raises Unavailable.
        """
        oldest_s = self._clock() - REMEMBERED_S
        found = {log: self._remembered.get(log.at(1)) for log in logs}
        places = {log: known[1] for log, known in found.items() if known is not None and known[0] > oldest_s}
        behind = {log: log.at(place.sequence + 1) for log, place in places.items()}
        gone_on = self._looks.at(behind.values(), consistently=True) if behind else {}
        unknown = [log for log in logs if log not in behind or behind[log] in gone_on]
        self._database.together([partial(self._read, log, places) for log in unknown])
        return {log: places[log] for log in logs}

    def _read(self, log: StoredLog, places: dict[StoredLog, Place]) -> None:
        read_s = self._clock()
        last = log.rows.last(self._database, log.owner)
        places[log] = BEGINNING if last is None else log.behind(last)
        self._remembered.set(log.at(1), (read_s, places[log]))
