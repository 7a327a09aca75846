"""GET /user/trades: a customer's trades of a pair, its own side of each (R32)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.ledger.amounts import Side
from tests.apis.trade.desk import SignedDesk, data_of
from tests.apis.trade.rows import NOW_MS, a_fill, put_fills

TRADES = "/trade/user/trades"


def page(desk: SignedDesk, **query: Any) -> dict[str, Any]:
    page: dict[str, Any] = data_of(desk.get(TRADES, {"pair": "B_Q"} | query))
    assert list(page) == ["trades", "pagination", "nc", "pc"]
    return page


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_trade_with_oneself_is_two_rows_the_takers_first_and_no_page_loses_one(
    archive: SignedDesk, side: Side, size: int
) -> None:
    """Whichever side the taker was on, and wherever a page ends."""
    other = Side.SELL if side is Side.BUY else Side.BUY
    for number in range(3):
        at_ms = NOW_MS - 10 + number
        halves = [a_fill(at_ms, side=side), a_fill(at_ms, side=other, is_maker=True, counterparty="ann")]
        put_fills(archive.world.database, halves)
    whole = page(archive)["trades"]
    assert [row["taker_or_maker"] for row in whole] == ["taker", "maker"] * 3
    assert [row["side"] for row in whole[:2]] == [side.value.lower(), other.value.lower()]
    assert whole[0]["id"] == whole[1]["id"] != whole[2]["id"]
    pages = [page(archive, page_size=size)]
    while pages[-1]["nc"]:
        pages.append(page(archive, page_size=size, c=pages[-1]["nc"]))
    assert [row for each in pages for row in each["trades"]] == whole
    back = [pages[-1]]
    while back[-1]["pc"]:
        back.append(page(archive, page_size=size, c=back[-1]["pc"]))
    assert [each["trades"] for each in reversed(back)] == [each["trades"] for each in pages]
