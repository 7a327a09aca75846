"""Goal: no order that is admitted can have a sum of more than 38 digits, whatever it trades with (T47).

What is summed is what an order's row sums: what its trades come to, and its fees. Method: Hypothesis draws books of any
decimals and orders near the bounds, lets those pass that admission lets pass, and has the core match them. There is no
end to the money: what goes round in the world need not go round here.
"""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.domain.books.admission import OrderRequest, refusal_of
from chalicelib.domain.books.book import Book
from chalicelib.domain.books.config import DECIMALS_MAX, FEE_BPS_MAX, BookConfig
from chalicelib.domain.books.matching import place
from chalicelib.domain.books.orders import order_updates
from chalicelib.domain.books.vocabulary import OrderType, PlaceOrder, TimeInForce
from chalicelib.domain.ledger.amounts import AMOUNT_MAX, Side, unit
from chalicelib.domain.ledger.holds import hold_of_limit

decimals = st.integers(0, DECIMALS_MAX)


@given(decimals, decimals)
def test_the_product_of_the_bounds_has_38_digits_and_both_are_as_large_as_each_other(base: int, quote: int) -> None:
    config = BookConfig("inst_x", "ob", "X", "X/Y", "x", "y", base_decimals=base, quote_decimals=quote)
    product = config.price_max * config.quantity_max

    assert -(-product // unit(base)) <= AMOUNT_MAX
    assert config.quantity_max <= AMOUNT_MAX
    whole_price, whole_quantity = config.price_max // unit(quote), config.quantity_max // unit(base)
    assert whole_quantity >= 9_999 or config.quantity_max == AMOUNT_MAX
    assert whole_price >= 9_999
    # One step further, and the product would not fit.
    assert (
        10 * (config.price_max + 1) * (config.quantity_max + 1) > unit(38 + base) or config.quantity_max == AMOUNT_MAX
    )


def admitted(config: BookConfig, side: Side, price: int, quantity: int) -> bool:
    return refusal_of(config, OrderRequest("ann", side, OrderType.LIMIT, TimeInForce.GTC, price, quantity)) is None


@given(decimals, decimals, st.integers(0, 9), st.integers(0, 9))
def test_the_largest_orders_there_are_fill_each_other(base: int, quote: int, more: int, less: int) -> None:
    """Whatever is above a bound, in one of the two, is refused; what is let through comes to 38 digits at most."""
    config = BookConfig("inst_x", "ob", "X", "X/Y", "x", "y", base_decimals=base, quote_decimals=quote)
    for price in (config.price_max, config.price_max + more, (config.price_max + 1) * 10 - 1 - less):
        for quantity in (config.quantity_max, config.quantity_max - less, (config.quantity_max + 1) * 10 - 1 - more):
            if all(admitted(config, side, price, quantity) for side in Side):
                assert price * quantity // unit(base) <= AMOUNT_MAX
                assert quantity <= AMOUNT_MAX


@st.composite
def near(draw: st.DrawFn, most: int) -> int:
    """An amount up to a tenth more than ``most``, often ``most`` itself, or a piece of it."""
    exact = draw(st.sampled_from([most, most + 1, most // 2, most // 3 + 1, most // 7]))
    return draw(st.one_of(st.just(exact), st.integers(max(1, most - 5), most + most // 10 + 1), st.integers(1, most)))


@given(st.data(), decimals, decimals, st.integers(0, FEE_BPS_MAX), st.integers(0, FEE_BPS_MAX))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_sums_of_admitted_orders_stay_within_38_digits(
    data: st.DataObject, base: int, quote: int, maker_bps: int, taker_bps: int
) -> None:
    config = BookConfig(
        "inst_x", "ob", "X", "X/Y", "x", "y", base_decimals=base, quote_decimals=quote,
        maker_fee_bps=maker_bps, taker_fee_bps=taker_bps,
    )  # fmt: skip
    book, sums = Book(config.first_rules), Counter[tuple[str, str]]()
    for number in range(data.draw(st.integers(2, 12))):
        side = data.draw(st.sampled_from(Side))
        price = data.draw(st.one_of(st.none(), near(config.price_max), near(config.price_max)))
        kind = OrderType.MARKET if price is None else OrderType.LIMIT
        request = OrderRequest(
            "ann", side, kind, TimeInForce.GTC, price, data.draw(near(config.quantity_max)),
        )  # fmt: skip
        if refusal_of(config, request) is not None:
            assert (price or 0) > config.price_max or request.quantity > config.quantity_max
            continue
        if price is not None:
            hold = hold_of_limit(side, price, request.quantity, base)
        else:
            hold = request.quantity if side is Side.SELL else AMOUNT_MAX
        assert hold <= AMOUNT_MAX
        order = PlaceOrder(f"order {number}", "ann", side, kind, TimeInForce.GTC, price, request.quantity, hold)
        for touched, update in order_updates(place(book, order, 0), {}):
            sums[touched.order_id, "notional"] += update.sums.notional
            sums[touched.order_id, "fee"] += update.sums.fee
            sums[touched.order_id, "filled"] = update.filled
        book.check()
    assert max(sums.values(), default=0) <= AMOUNT_MAX
