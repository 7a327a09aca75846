"""The client of the book desk against the desk itself, in this process: each call, its request and its answer."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.apis.book import book_schema, order_schema, webhook_schema
from chalicelib.apis.book.routes import ROUTES
from chalicelib.apis.kit.http import HttpResponse
from tallybook_client import BookDesk, OutcomeUnknown
from tallybook_client.book import Advanced, BookChange, NewBook, NewOrder, WebhookChange, models
from tallybook_client.book.errors import CancelPending, CursorGone, InvalidQuantity, OrderNotFound, ValidationError
from tests.apis.book.desk import API_KEY, Desk
from tests.client.contract import check_requests, members_of_form, nothing_is_dropped
from tests.client.http import BASE_URL, InProcess, Trouble
from tests.world import BASE, BOOK_ID, QUOTE

Troubles = Iterable[Trouble | HttpResponse | None]


@pytest.fixture
def http(desk: Desk) -> InProcess:
    return InProcess(desk.desk.answer)


@pytest.fixture
def client(desk: Desk, http: InProcess) -> BookDesk:
    """The client. What it waits for is decided in its pauses."""
    return BookDesk(BASE_URL, API_KEY, http=http, pause=lambda _seconds: desk.match())


def order(side: str = "BUY", quantity: int = 10, price: int | None = 50, **more: object) -> NewOrder:
    named = {"order_book_id": BOOK_ID, "customer_ref": "ann", "side": side, "quantity": quantity, "price": price}
    return NewOrder(**(named | more))  # type: ignore[arg-type]


def walk(desk: Desk, client: BookDesk) -> None:
    """Make each call of the client once, with all that it can name."""
    now = datetime.now(UTC)
    span = {"since": now - timedelta(days=9000), "until": now + timedelta(days=1)}
    feed = client.events(customer_ref="ann", order_book_id=BOOK_ID, types=["order.accepted"], wait_s=0)
    assert list(feed) == []

    placed = client.orders.place(order(time_in_force="GTC", post_only=False), wait_s=0, key="key-00001")
    assert (placed.status, placed.price, placed.filled_quantity) == ("OPEN", 50, 0)
    assert client.orders.place(order(time_in_force="GTC", post_only=False), key="key-00001") == placed
    slices = client.orders.place(order(advanced=Advanced.iceberg(5)))
    sold, refused = client.orders.place_batch([order("SELL", 4, 50), order("SELL", 0)])
    desk.match()
    assert isinstance(sold, models.Order)
    assert isinstance(refused, InvalidQuantity)
    assert (refused.status, refused.code) == (400, "INVALID_QUANTITY")
    shown = client.orders.one(placed.id, "ann")
    assert (shown.status, shown.filled_quantity, shown.updated_at is None) == ("PARTIALLY_FILLED", 4, False)
    assert client.orders.one(slices.id, "ann").advanced == models.Advanced(
        type="ICEBERG", step_amount=5, triggered=False
    )
    listed = client.orders.of_customer("ann", order_book_id=BOOK_ID, status="PARTIALLY_FILLED")
    assert [one.id for one in listed] == [placed.id]
    assert [(one.side, one.quantity) for one in client.orders.trades_of_customer("ann")] == [("BUY", 4), ("SELL", 4)]
    assert [(one.side, one.quantity) for one in client.books.trades(BOOK_ID, limit=5)] == [(None, 4)]
    depth = client.books.depth(BOOK_ID, levels=3)
    assert (depth.bids, depth.asks, depth.sequence) == ((models.Level(50, 11),), (), 1)

    amended = client.orders.amend(placed.id, "ann", price=49, quantity=12)
    assert (amended.status, amended.price, amended.quantity) == ("AMENDED", 49, 12)
    assert client.orders.cancel(placed.id, "ann").status == "CANCELLED"
    (cancelled,) = client.orders.cancel_batch([sold.id], "ann")
    assert isinstance(cancelled, OrderNotFound)
    with pytest.raises(CancelPending):
        client.orders.cancel_all("ann", BOOK_ID)
    desk.match()
    assert client.orders.cancel_all("ann").order_ids == ()

    gold = client.ledger.register_token("0x" + "D" * 40, "Gold", "XAU", decimals=3, metadata_uri="m", asset_type="a")
    assert (gold.token_address, gold.metadata_uri) == ("0x" + "d" * 40, "m")
    assert next(client.ledger.tokens(active_only=False)) == client.ledger.token(gold.token_address) == gold
    big = 10**30
    credit = client.ledger.credit("ann", gold.token_address, big, reference="r", metadata={"a": [1]})
    assert credit.balance == big
    assert client.ledger.debit("ann", gold.token_address, 1).balance == big - 1
    assert client.ledger.transfer("ann", "ben", gold.token_address, 9, reference="r", metadata={}).amount == 9
    assert client.ledger.balance("ann", gold.token_address).available_balance == big - 10
    assert big - 10 in [one.balance for one in client.ledger.balances("ann")]
    (moved,) = client.ledger.transactions(customer_ref="ann", token_address=gold.token_address, type="credit", **span)
    assert (moved.id, moved.metadata and moved.metadata["a"]) == (credit.transaction_id, [1])
    assert list(client.ledger.fees()) == []

    settings = NewBook(token_address=gold.token_address, quote_token_address=QUOTE, name="Gold", symbol="XAU/Q")
    made = client.books.create(settings)
    assert {row.id for row in client.books.all("ACTIVE")} == {made.id, BOOK_ID}
    changed = client.books.change(made.id, BookChange(tick_size=5, price_band_bps=100))
    assert (changed.tick_size, changed.price_band_bps) == (5, 100)
    changed = client.books.change(made.id, BookChange(tick_size=None))
    assert (changed.tick_size, changed.price_band_bps) == (None, 100)
    assert client.books.one(made.id) == changed
    assert client.books.resume(made.id, reference=10).reference == 10

    hook = client.webhooks.create("https://example.com/h", ["order.*"], customer_refs=["ann"], description="d")
    assert hook.secret is not None
    assert [one.id for one in client.webhooks.all()] == [client.webhooks.one(hook.id).id]
    delivery = client.webhooks.test(hook.id)
    assert [one.id for one in client.webhooks.deliveries(hook.id, "WAITING", limit=5)] == [delivery]
    assert client.webhooks.deliveries(hook.id, "WAITING", after=delivery) == []
    assert client.webhooks.delivery(hook.id, delivery).payload is not None
    assert client.webhooks.redeliver(hook.id, delivery).id == delivery
    changed_hook = client.webhooks.change(hook.id, WebhookChange(customer_refs=None, status="PAUSED"))
    assert (changed_hook.customer_refs, changed_hook.status) == (None, "PAUSED")
    assert client.webhooks.rotate_secret(hook.id, hours=1).secret not in (None, hook.secret)
    client.webhooks.remove(hook.id)
    assert client.webhooks.all() == []

    assert "".join(client.exports.transactions(customer_ref="ann", **span)).count("\n") > 3
    assert "".join(client.exports.trades(customer_ref="ann", form="csv", **span)).count("\n") == 2
    assert "".join(client.exports.orders("ann", **span)).count("\n") == 3
    assert "".join(client.exports.balances("ann", at=datetime.now(UTC))).count("\n") == 3


def test_every_call_is_one_of_the_desks_operations_and_no_member_of_an_answer_is_dropped(
    desk: Desk, client: BookDesk, http: InProcess
) -> None:
    with nothing_is_dropped():
        walk(desk, client)
    called = check_requests(http, ROUTES)
    assert called == {route.name for route in ROUTES}, "the client has every operation of the desk"


def test_members_of_a_later_version_are_passed_over(desk: Desk, client: BookDesk, http: InProcess) -> None:
    http.is_newer = True
    walk(desk, client)


@pytest.mark.parametrize(
    ("form", "body"),
    [
        (NewOrder, order_schema.PlaceOrderBody),
        (NewBook, book_schema.CreateBookBody),
        (WebhookChange, webhook_schema.ChangeWebhookBody),
    ],
)
def test_a_request_can_name_every_member_of_its_form(form: type, body: type) -> None:
    assert members_of_form(form) == set(body.model_fields)  # type: ignore[attr-defined]


def test_a_change_of_a_book_can_name_every_member_that_has_an_effect() -> None:
    assert members_of_form(BookChange) == set(book_schema.ChangeBookBody.model_fields) - {"allowImport"}


@pytest.mark.parametrize("trouble", [Trouble.LOST_AFTER, Trouble.LOST_BEFORE, Trouble.GATEWAY])
def test_an_order_whose_answer_is_lost_is_placed_once(client: BookDesk, http: InProcess, trouble: Trouble) -> None:
    http.troubles.extend([trouble, trouble])
    placed = client.orders.place(order())
    assert [one.id for one in client.orders.of_customer("ann")] == [placed.id]
    keys = {sent.headers["idempotency-key"] for sent in http.sent if sent.method == "POST"}
    assert (len(keys), len(http.sent)) == (1, 4)


def test_who_kept_the_key_of_an_unknown_outcome_learns_it_later(client: BookDesk, http: InProcess) -> None:
    http.troubles.extend([Trouble.LOST_AFTER] * 5)
    with pytest.raises(OutcomeUnknown) as unknown:
        client.ledger.credit("ann", BASE, 5)
    assert client.ledger.credit("ann", BASE, 5, key=unknown.value.key).balance == 1005
    assert client.ledger.balance("ann", BASE).balance == 1005


def test_a_cancel_whose_answer_is_lost_is_answered_by_the_order_itself(
    desk: Desk, client: BookDesk, http: InProcess
) -> None:
    placed = client.orders.place(order())
    desk.match()
    http.troubles.append(Trouble.LOST_AFTER)
    cancelled = client.orders.cancel(placed.id, "ann")
    assert (cancelled.id, cancelled.status) == (placed.id, "CANCELLED")


def test_a_cancel_of_a_closed_order_stays_refused_where_the_attempts_before_did_nothing(
    desk: Desk, client: BookDesk, http: InProcess
) -> None:
    placed = client.orders.place(order())
    desk.match()
    client.orders.cancel(placed.id, "ann")
    http.troubles.append(Trouble.NO_CONNECTION)
    with pytest.raises(OrderNotFound):
        client.orders.cancel(placed.id, "ann")


@pytest.mark.parametrize("before", [None, Trouble.LOST_BEFORE])
def test_a_cancel_of_an_order_that_was_filled_is_not_found(
    desk: Desk, client: BookDesk, http: InProcess, before: Trouble | None
) -> None:
    placed = client.orders.place(order())
    client.orders.place(order("SELL"))
    desk.match()
    http.troubles.append(before)
    with pytest.raises(OrderNotFound):
        client.orders.cancel(placed.id, "ann")


def test_faulty_fields_are_named(client: BookDesk) -> None:
    with pytest.raises(ValidationError) as faulty:
        client.orders.place(order(customer_ref=""))
    assert list(faulty.value.fields) == ["customerRef"]
    assert faulty.value.request_id


def test_a_cursor_that_is_gone_names_the_one_to_go_on_from(client: BookDesk, http: InProcess) -> None:
    gone = '{"success": false, "error": {"code": "CURSOR_GONE", "message": "m"}, "metadata": {"cursor": "abc"}}'
    http.troubles.append(HttpResponse(410, gone))
    with pytest.raises(CursorGone) as raised:
        next(client.events("old"))
    assert raised.value.cursor == "abc"


def test_names_in_paths_are_encoded(client: BookDesk, desk: Desk) -> None:
    name = "a/n?n% ü+"
    desk.world.credit(name, BASE, 5)
    assert client.ledger.balance(name, BASE).balance == 5
