"""Whatever reads what a client sends takes time linear in its size: headers, paths, queries, bodies, tokens, log lines.

One case for each reader and each way to make it work hard that anybody thought of; the sizes go up to what a body may
have, for headers and queries too.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from chalicelib.apis.book import events as book_events
from chalicelib.apis.book import ledger_schema, order_schema, schema
from chalicelib.apis.book.envelope import Fault as BookFault
from chalicelib.apis.escrow.bodies import Body, UnreadableBody, body_of
from chalicelib.apis.escrow.envelope import Fault as EscrowFault
from chalicelib.apis.escrow.events import QUERY as ESCROW_EVENTS
from chalicelib.apis.escrow.kinds import integer, metadata, url
from chalicelib.apis.escrow.kinds import number as escrow_number
from chalicelib.apis.escrow.list_query import PAGE_MAX
from chalicelib.apis.escrow.routes import ROUTES as ESCROW_ROUTES
from chalicelib.apis.kit.exact_json import UnreadableJson, exact_number, is_portable, read_json
from chalicelib.apis.kit.http import BadPercentEncoding, path_served, percent_decoded
from chalicelib.apis.kit.preference import declines_to_wait, wait_preference
from chalicelib.apis.kit.routing import NoRoute
from chalicelib.apis.taker import list_schema
from chalicelib.apis.taker import schema as taker_schema
from chalicelib.apis.taker.api import is_request_id
from chalicelib.apis.taker.envelope import Fault as TakerFault
from chalicelib.apis.taker.routes import ROUTES as TAKER_ROUTES
from chalicelib.apis.taker.sessions import NotASession, session_of
from chalicelib.apis.taker.signature import query_forms
from chalicelib.apis.taker.socket import PROTOCOL, token_in, types_in
from chalicelib.apis.taker.socket_messages import Type
from chalicelib.apis.trade import decimals, members, place_schema
from chalicelib.apis.trade.cursor import NotACursor, cursor_of
from chalicelib.apis.trade.envelope import Fault as TradeFault
from chalicelib.apis.trade.ids import NotAnId, internal
from chalicelib.apis.trade.query import Query
from chalicelib.apis.trade.routes import ROUTES as TRADE_ROUTES
from chalicelib.apis.trade.signature import compact_form, ecmascript_number
from chalicelib.apis.trade.window import FaultyEnd, window_of
from chalicelib.domain.feed.cursor import UnreadableCursor
from chalicelib.domain.feed.cursor import cursor_of as events_cursor_of
from chalicelib.domain.signed.connect import MalformedMessage, connect_message
from chalicelib.domain.tenancy.origins import is_origin
from chalicelib.support.canonical import Number
from chalicelib.support.redaction import masked, secrets_of
from tests.linear.measuring import assert_linear

NOW_MS = 1_767_225_600_000
REFUSED = (
    BadPercentEncoding,
    BookFault,
    EscrowFault,
    FaultyEnd,
    MalformedMessage,
    NoRoute,
    NotACursor,
    NotASession,
    NotAnId,
    TakerFault,
    TradeFault,
    UnreadableBody,
    UnreadableCursor,
    UnreadableJson,
    decimals.NotAnAmount,
)
Reader = Callable[[str], object]
FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"


def repeated(unit: str, start: str = "", end: str = "") -> Callable[[int], str]:
    return lambda size: start + unit * (size // len(unit)) + end


def numbered(unit: str, start: str = "", end: str = "") -> Callable[[int], str]:
    """Return what makes a text of units with a number each, so that no two are the same."""
    return lambda size: start + "".join(unit.replace("#", str(each)) for each in range(size // (len(unit) + 4))) + end


def jwt_of(text: str) -> str:
    parts = ('{"alg":"HS256","typ":"JWT"}', text, "x")
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


def order_hash_query(name: str) -> Reader:
    return lambda text: list_schema.fill_query({name: [text]})


def book_query(name: str) -> Reader:
    return lambda text: ledger_schema.transactions_query({name: [text]})


def trade_query(text: str) -> object:
    query = Query({"pair": [text], "status[]": [text, text], "page_size": [text]})
    with suppress(TradeFault):
        query.integer("page_size", 10, 100)
    return query.items("status")


def parameters(text: str) -> dict[str, list[str]]:
    return {name: [name] for name in text.split("&")}


def escrow_events(text: str) -> object:
    return ESCROW_EVENTS.checked(ESCROW_EVENTS.read({"after": text, "limit": text}), Body({}), {})


def masked_line(text: str) -> object:
    return masked({"message": "y" * len(text)}, secrets_of({"authorization": text}, text.encode()))


READERS: dict[str, Reader] = {
    "wait preference": wait_preference,
    "wait declined": declines_to_wait,
    "percent-encoding": percent_decoded,
    "path behind a stage": lambda text: path_served(text, "/{one}/{two}"),
    "trade route": lambda text: TRADE_ROUTES.find("GET", "/trade/" + text),
    "escrow route": lambda text: ESCROW_ROUTES.find("GET", "/2.0/" + text),
    "taker route": lambda text: TAKER_ROUTES.find("GET", "/api/v1/" + text),
    "request id": is_request_id,
    "json": lambda text: is_portable(read_json(text.encode())),
    "exact number": lambda text: read_json(text.encode(), exact_number),
    "book body": lambda text: schema.body_hash(schema.json_object(text.encode())),
    "book order": lambda text: schema.checked(order_schema.PlaceOrderBody, schema.json_object(text.encode())),
    "book batch": lambda text: order_schema.batch_of(schema.json_object(text.encode())),
    "book cancels": lambda text: schema.checked(order_schema.CancelBatchBody, schema.json_object(text.encode())),
    "book movement": lambda text: schema.checked(ledger_schema.ChangeBody, schema.json_object(text.encode())),
    "book path": lambda text: schema.customer_ref(text),
    "book page": lambda text: schema.page_query({"limit": [text], "offset": [text]}),
    "book events": lambda text: book_events.asked_of({name: [text] for name in ("types", "after", "limit", "bookId")}),
    "book time": book_query("from"),
    "book reference": book_query("customerRef"),
    "trade body": lambda text: place_schema.place_body(members.members_of(text.encode()), NOW_MS),
    "trade compact form": lambda text: compact_form(text.encode()),
    "trade number": lambda text: decimals.units_of(text, 8),
    "trade number of JSON": lambda text: decimals.floored(Number(text), 3),
    "trade double": lambda text: read_json(text.encode(), ecmascript_number),
    "trade cursor": cursor_of,
    "trade window": lambda text: window_of(text, None, NOW_MS, ("start", "end")),
    "trade id": lambda text: internal(text, "ord"),
    "trade query": trade_query,
    "trade parameters": lambda text: Query(parameters(text)).items("status"),
    "taker body": lambda text: taker_schema.checked(taker_schema.FillBody, text.encode()),
    "taker signed query": lambda text: query_forms({"status": [text], **parameters(text)}),
    "taker times": order_hash_query("created_after"),
    "taker statuses": order_hash_query("status"),
    "taker amounts": order_hash_query("fill_amount_min"),
    "taker blocks": order_hash_query("block_number_min"),
    "taker pages": order_hash_query("page"),
    "taker events": lambda text: list_schema.events_query({"after": [text], "limit": [text]}),
    "taker instrument": lambda text: list_schema.instrument_query({"ticker": [text], "exchange": [text]}),
    "taker estimate": lambda text: taker_schema.checked(taker_schema.EstimateBody, text.encode()),
    "origin of a page": is_origin,
    "taker types of messages": lambda text: types_in(text, list(Type)),
    "taker subprotocols": lambda text: token_in({PROTOCOL: text}),
    "cursor of events": events_cursor_of,
    "taker session": lambda text: session_of(text, [b"k" * 32], 0),
    "taker session's claims": lambda text: session_of(jwt_of(text), [b"k" * 32], 0),
    "connect message": connect_message,
    "escrow JSON": lambda text: body_of(text.encode(), "application/json"),
    "escrow form": lambda text: body_of(text.encode(), FORM),
    "escrow multipart": lambda text: body_of(text.encode(), MULTIPART),
    "escrow content type": lambda text: body_of(b"a=b", text),
    "escrow events": lambda text: ESCROW_EVENTS.checked(
        ESCROW_EVENTS.read({"after": text, "limit": text}), Body({}), {}
    ),
    "escrow number": lambda text: escrow_kind(escrow_number(10**9, 2), text),
    "escrow integer": lambda text: escrow_kind(integer(1, PAGE_MAX), text),
    "escrow URL": lambda text: escrow_kind(url(), text),
    "escrow metadata": lambda text: escrow_kind(metadata(), {text[:9]: text}),
    "log line": masked_line,
}

INPUTS: dict[str, Callable[[int], str]] = {
    "blanks": repeated(" "),
    "digits": repeated("9"),
    "digits and a letter": repeated("9", end="x"),
    "zeros": repeated("0", start="1"),
    "zeros in front": repeated("0", end="x"),
    "letters": repeated("a"),
    "other digits": repeated("\u0665"),
    "quotes": repeated('"'),
    "escaped quotes": repeated('\\"', start='"'),
    "open brackets": repeated("["),
    "brackets": repeated("[]"),
    "an array of arrays": repeated("[],", start="[", end="[]]"),
    "braces": repeated('{"a":'),
    "commas": repeated(","),
    "words between commas": repeated("locked,"),
    "equal signs": repeated("="),
    "a list of a form": repeated("a[]=&"),
    "an indexed list of a form": numbered("a[#]=1&"),
    "deep names of a form": repeated("[a]", start="a", end="=1"),
    "names of a form": numbered("a#=1&"),
    "bad escapes": repeated("%"),
    "escapes": repeated("%41"),
    "slashes": repeated("/"),
    "slashes and letters": repeated("/a"),
    "line feeds": repeated("\n"),
    "line ends": repeated("\r\n"),
    "lines of a message": repeated("Nonce: 1\n"),
    "parts of a form": numbered('--x\r\ncontent-disposition: form-data; name="a[#]"\r\n\r\n1\r\n', end="--x--\r\n"),
    "one part of a form": repeated("a", '--x\r\ncontent-disposition: form-data; name="', '"\r\n\r\n1\r\n--x--\r\n'),
    "boundaries": repeated("\r\n--x"),
    "options of a type": repeated(';a="b"', start="multipart/form-data"),
    "open options of a type": repeated('; a="\\"', start="multipart/form-data"),
    "wait with blanks": repeated(" ", start="wait=", end="x"),
    "wait with blanks before": repeated(" ", start="wait", end="x"),
    "waits": repeated("wait=,"),
    "open quotes and commas": repeated('",', start="wait=x"),
    "members": numbered('"m#":"v",', '{"a":1,', '"b":2}'),
    "long numbers": repeated("9" * 50 + ",", "[", "1]"),
    "a long number in a member": repeated("9", '{"a":', "}"),
    "a fraction in a member": repeated("9", '{"a":0.', "}"),
    "an exponent in a member": repeated("9", '{"amount":1e', "}"),
    "a long text in a member": repeated("a", '{"customerRef":"', '"}'),
    "escapes in a member": repeated("\\u0000", '{"customerRef":"', '"}'),
    "half pairs in a member": repeated("\\ud800", '{"customerRef":"', '"}'),
    "metadata": numbered('"m#":[1],', '{"transactionMetadata":{', '"b":2}}'),
    "orders of a batch": repeated('{"price":"1"},', '{"orders":[', "{}]}"),
    "an order of a batch": numbered('"m#":"v",', '{"orders":[{"a":1,', '"b":2}]}'),
    "ids of a list": numbered('"ord_#",', '{"customerRef":"a","orderIds":[', '"b"]}'),
    "secrets": numbered('"secret":"12345678#",', "{", '"b":2}'),
    "words of a secret": numbered("12345678# ", '{"secret":"', '"}'),
    "a date with a fraction": repeated("1", "2025-01-01T00:00:00.", "Z"),
    "dots": repeated("."),
    "a token of dots": repeated("a."),
    "a token": lambda size: jwt_of("a" * size),
    "at signs": repeated("http://a@"),
    "colons": repeated(":", start="http://"),
}


def escrow_kind(kind: Any, value: object) -> object:
    from chalicelib.apis.escrow.schema import Unfit

    with suppress(Unfit):
        return kind.check(kind.spelled(value) if isinstance(value, str) else value)
    return None


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_takes_time_linear_in_what_it_reads(reader: str) -> None:
    read = READERS[reader]

    def call(text: str) -> None:
        with suppress(*REFUSED):
            read(text)

    for name, made in INPUTS.items():
        try:
            assert_linear(call, made, (256, 1024, 4096, 16_384, 65_000))
        except Exception as error:
            raise AssertionError(f"{reader}, {name}: {error!r}") from error


def test_json_that_is_read_may_be_written_and_read_again() -> None:
    for name, made in INPUTS.items():
        with suppress(UnreadableJson):
            value = read_json(made(65_000).encode(), str)
            assert read_json(json.dumps(value).encode(), str) == value, name
