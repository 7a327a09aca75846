"""``book watch`` and ``tape --follow``: what they show, and that they go on after the API was away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest
from rich.console import Console

from chalicelib.ops.cli import watching
from chalicelib.ops.cli.watching import Ladder, _Heard, _states
from tallybook_client import Event, Unreachable
from tallybook_client.book.errors import AuthFailed, ServiceUnavailable
from tallybook_client.book.models import Depth, Level


class Desk:
    """Depth views by the sequences at which they are read. Each may be an error in its place."""

    def __init__(self, *views: int | Exception) -> None:
        self.books = self
        self._views = list(views)

    def depth(self, book: str, _levels: int) -> Depth:
        view = self._views.pop(0)
        if isinstance(view, Exception):
            raise view
        bids = (Level(90, 2 * view), Level(80, 1))
        return Depth(order_book_id=book, bids=bids, asks=(Level(110, view),), sequence=view)


def feed_of(*news: int | Exception) -> Any:
    """Yield an event of each sequence, or raise."""

    left = list(news)

    class Feed(Iterator[Event]):
        def __next__(self) -> Event:
            one = left.pop(0)
            if isinstance(one, Exception):
                raise one
            body = {"tradeId": f"trade_{one}", "price": "1", "quantity": "1", "takerSide": "BUY"}
            return Event(f"evt_{one}", "trade.executed", datetime.now(UTC), "book/ob_1", one, 0, body)

    return Feed()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "UPDATE_S", 0)
    monkeypatch.setattr(watching, "AGAIN_S", 0)


def ladder_of(desk: Desk) -> Ladder:
    return Ladder("EXS/EUR", (0, 1), desk.depth("ob_1", 10), _Heard(), 0.0)


def sequences(desk: Desk, feed: Any, count: int) -> list[int]:
    ladder = ladder_of(desk)
    return [ladder.depth.sequence for _ in islice(_states(desk, feed, ladder, "ob_1", 10), count)]  # type: ignore[arg-type]


def test_levels_are_read_again_only_for_news_that_they_do_not_show_yet() -> None:
    assert sequences(Desk(3, 5, 6), feed_of(2, 3, 4, 4, 5, 6), 3) == [3, 5, 6]


def test_a_watch_goes_on_where_it_was_after_the_api_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    away = Unreachable("no answer")
    busy = ServiceUnavailable(503, "SERVICE_UNAVAILABLE", "later")
    desk, feed = Desk(3, busy, 5), feed_of(away, 4, 5)
    ladder = ladder_of(desk)
    states = _states(desk, feed, ladder, "ob_1", 10)  # type: ignore[arg-type]
    next(states)
    seen: list[str] = []
    monkeypatch.setattr(watching.time, "sleep", lambda _: seen.append(ladder.trouble))
    next(states)
    assert [trouble.partition(" ")[0] for trouble in seen] == ["nothing", "later"]
    assert (ladder.depth.sequence, ladder.trouble) == (5, "")


@pytest.mark.parametrize(("views", "news"), [((3, 3), (Unreachable("away"),)), ((3, Unreachable("away"), 4), (4,))])
def test_a_quiet_book_is_read_again_once_the_api_is_back(
    views: tuple[int | Exception, ...], news: tuple[int | Exception, ...]
) -> None:
    desk = Desk(*views)
    ladder = ladder_of(desk)
    states = _states(desk, feed_of(*news), ladder, "ob_1", 10)  # type: ignore[arg-type]
    assert len(list(islice(states, 2))) == 2
    assert (ladder.depth.sequence, ladder.trouble) == (views[-1], "")


class Followed:
    """Access to a desk with one feed."""

    def __init__(self, *news: int | Exception) -> None:
        self.books = self
        self._feed = feed_of(*news)

    def desk(self, _book: str) -> Any:
        return nullcontext(self)

    def one(self, _book: str) -> None:
        """The book is there."""

    def events(self, **_asked: Any) -> Any:
        return self._feed


def test_a_followed_tape_goes_on_where_it_was_after_the_api_was_away(capsys: pytest.CaptureFixture[str]) -> None:
    access = Followed(1, Unreachable("away"), ServiceUnavailable(503, "SERVICE_UNAVAILABLE", "later"), 2)
    watching.show_trades("ob_1", follow=True, limit=2, access=access)  # type: ignore[arg-type]
    trades = [json.loads(line)["trade_id"] for line in capsys.readouterr().out.splitlines()]
    assert trades == ["trade_1", "trade_2"]


def test_a_key_that_is_revoked_ends_a_followed_tape() -> None:
    access = Followed(AuthFailed(401, "AUTH_FAILED", "API key is not valid"))
    with pytest.raises(AuthFailed):
        watching.show_trades("ob_1", follow=True, limit=2, access=access)  # type: ignore[arg-type]


def test_a_key_that_is_revoked_ends_the_watch() -> None:
    with pytest.raises(AuthFailed):
        sequences(Desk(3), feed_of(AuthFailed(401, "AUTH_FAILED", "API key is not valid")), 2)


def test_the_ladder_has_asks_above_bids_the_best_in_the_middle_and_bars_by_quantity() -> None:
    console = Console(width=80, record=True, force_terminal=False)
    with console.capture() as captured:
        console.print(ladder_of(Desk(10)))
    head, _, ask, spread, best, other = [line.rstrip() for line in captured.get().splitlines()]
    assert head.startswith("EXS/EUR  entry 10, read ")
    assert ask.split()[:3] == ["ask", "10", "11"]
    assert spread.strip() == "spread 2"
    assert (best.split()[:3], other.split()[:3]) == (["bid", "20", "9"], ["bid", "1", "8"])
    assert best.count("█") == 2 * ask.count("█") > other.count("█") == 1
