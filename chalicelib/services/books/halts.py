"""Halts as seen outside the matcher: by the depth views, so best effort (O12). The matcher itself is exact."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.ledger.owners import book_key
from chalicelib.tables.books import Books
from chalicelib.tables.depth_views import DepthViews


def config_with_halt(books: Books, views: DepthViews, book: str, now_s: int) -> BookConfig | None:
    """Return a book as admission sees it in this second (Unix seconds): marked, if its circuit breaker has halted it.

    A halt that ends within the second is over, so that a book that shows ACTIVE takes orders.
    """
    config = books.config(book)
    if config is not None and config.halt_bps:
        (config,) = with_halts(views, [config], 1000 * now_s + 999)
    return config


def with_halts(views: DepthViews, configs: Iterable[BookConfig], now_ms: int) -> list[BookConfig]:
    """Return the configurations, those of books that are halted now marked so.

    Reads the depth views of books with a circuit breaker, and of those whose settings were changed since they were
    made: a halt outlives a change that takes the breaker away.
    """
    read = list(configs)
    until_ms = views.halts(_key(config) for config in read if config.halt_bps or config.version)
    return [replace(config, is_halted=until_ms.get(_key(config), 0) > now_ms) for config in read]


def _key(config: BookConfig) -> str:
    return book_key(config.instance, config.book_id)
