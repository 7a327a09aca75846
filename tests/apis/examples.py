"""The examples of the desks' descriptions, sent to desks over tables in memory, in the order of the descriptions.

``python -m tests.apis.examples`` sends them and writes what was answered into ``infra/openapi/examples.json``; an
example whose answer is the same but for ids and times stays as it is there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any
from unittest import mock
from urllib.parse import quote

from chalicelib import wiring
from chalicelib.apis.escrow.routes import Auth as EscrowAuth
from chalicelib.apis.kit.description import Description, Operation
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.routing import Route, filled
from chalicelib.apis.taker.routes import Auth as TakerAuth
from chalicelib.apis.trade.signature import signature_of
from chalicelib.domain.tenancy.instances import World as EscrowWorld
from chalicelib.domain.webhooks.signing import callback_secret_of, signed_headers
from chalicelib.services import polling
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.redrive import redrive_all
from chalicelib.support.clock import now_ms
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.tenants import Tenants
from chalicelib.wiring.book import new_book_desk
from infra.openapi.document import DESCRIPTIONS, EXAMPLES, Sent, operation_id, written
from tests.apis.escrow.desk import CARD, KEY, MASTER_KEY, OPERATOR_KEY, Desk, callback_sender, data_of
from tests.apis.taker.desk import ASSET, MAKER, TAKER, connect_message, new_desk, sign_message
from tests.apis.trade.cases import desk_of_ben, open_market, place, placed
from tests.in_memory import database_of, empty_tables
from tests.recording import nobody
from tests.services.escrow.world import INSTANCE as ESCROW_INSTANCE
from tests.waiting import Waiting
from tests.world import INSTANCE

Encode = Callable[[Any], tuple[bytes, str]]
"""Makes bytes of a body, and says their content type."""
Facts = dict[str, Any]
_NAMED = re.compile(r"\{(\w+)\}")
QUOTE = "0x" + "c" * 40


@dataclass(frozen=True)
class Scene:
    """A desk to send examples to. credentials: returns a request's headers beside its own. facts: by name.

    afterwards: what the rest of the world does after a request.
    """

    answer: Callable[[HttpRequest], HttpResponse]
    credentials: Callable[[Route[Any], HttpRequest], Mapping[str, str]]
    facts: Facts = field(default_factory=dict)
    afterwards: Callable[[], object] = lambda: None


def tables() -> Database:
    client = empty_tables()
    return database_of(client)


@contextmanager
def book_scene() -> Iterator[Scene]:
    """An instance with one token, the quote, and ben, who has a hundred example shares once they are registered."""
    database, key = tables(), "trusset_test0001_" + "0123456789abcdef" * 4
    tenants = Tenants(database, lambda: now_ms() // 1000)
    tenants.create_instance(INSTANCE.removeprefix("inst_"), {"trading"})
    tenants.add_key(INSTANCE, "key_1", key, 200)
    desk = new_book_desk(database)

    def post(path: str, body: Mapping[str, Any]) -> None:
        request = HttpRequest(
            "POST", None, {}, {}, {"x-api-key": key}, json.dumps(body).encode(), f"/custody/api/{path}"
        )
        assert desk.answer(request).status in (200, 201)

    post("tokens", {"tokenAddress": QUOTE, "name": "Euro", "symbol": "EUR"})

    def world_goes_on() -> None:
        nobody(redrive_all)(database, Matcher(database, now_ms))
        if database.get("tokens", {"instance": INSTANCE, "entry": "token/0x" + "b" * 40}):
            grant = {
                "tokenAddress": "0x" + "b" * 40,
                "customerRef": "cust_ben",
                "amount": str(10**20),
                "reference": "first",
            }
            post("balances/credit", grant)

    with at_once(world_goes_on):
        yield Scene(desk.answer, lambda _route, _request: {"x-api-key": key}, {"quote": QUOTE}, world_goes_on)


@contextmanager
def trade_scene() -> Iterator[Scene]:
    """The pair BTC_BRL, in which ann has traded with ben; both have orders, and ann has three that can be canceled."""
    desk = open_market(tables(), maker_fee_bps=10, taker_fee_bps=20)

    def world_goes_on() -> None:
        nobody(redrive_all)(desk.world.database, Matcher(desk.world.database, now_ms))

    with at_once(world_goes_on):
        ben = desk_of_ben(desk)
        placed(ben, side="sell", amount="0.01", price="350000")
        traded = placed(desk, amount="0.01")
        place(ben, side="sell", amount="0.5", price="351000")
        second, _, _ = (placed(desk, price="349000", external_id=name) for name in ("second", "third", "fourth"))
        placed(desk, price="348000")
        place(ben, amount="0.5", price="340000")
        world_goes_on()

        def credentials(route: Route[Any], request: HttpRequest) -> dict[str, str]:
            if route.auth is None:
                return {}
            timestamp = str(now_ms())
            signed = b"" if request.method == "GET" else request.body
            signature = signature_of(desk.secret, timestamp, request.method, request.path, signed)
            return {"authorization": desk.token, "timestamp": timestamp, "signature": signature}

        facts = {"tradedId": traded, "second": second, "today": now_day()}
        yield Scene(desk.desk.answer, credentials, facts, world_goes_on)


@contextmanager
def taker_scene() -> Iterator[Scene]:
    """A maker with orders of which the taker has locked some."""
    desk = new_desk()
    message = connect_message(desk)
    order = desk.order_body()
    taken, rejected, asked, second = (desk.order_body(nonce=nonce) for nonce in (2, 3, 4, 5))
    hashes = [str(data_of_taker(desk.maker_post("/orders", one))["order_hash"]) for one in (taken, rejected, asked)]
    second_id = data_of_taker(desk.maker_post("/orders", second))["id"]
    for order_hash in hashes[1:]:
        assert desk.lock(order_hash).status == 200
    assert desk.cancel(hashes[2]).status == 200

    def credentials(route: Route[Any], _request: HttpRequest) -> dict[str, str]:
        if route.auth is TakerAuth.TAKER:
            return {"x-api-key": desk.api_key}
        return {"authorization": f"Bearer {desk.jwt}"} if route.auth is TakerAuth.MAKER else {}

    facts = {
        "maker": MAKER,
        "taker": TAKER,
        "asset": ASSET,
        "connectMessage": message,
        "connectSignature": sign_message(message, desk.maker_key),
        "order": order["order"],
        "signature": order["signature"],
        "second_id": second_id,
        **dict(zip(("takenHash", "rejectedHash", "askedHash"), hashes, strict=True)),
    }
    yield Scene(desk.desk.answer, credentials, facts)


@contextmanager
def escrow_scene() -> Iterator[Scene]:
    """Ann and sam, ann's money, and orders in several statuses."""
    with mock.patch.object(wiring, "master_key", return_value=MASTER_KEY):
        desk = Desk(tables())
        desk.set(public_base_url="https://pay.example.com")
        desk.deposit(1000)

        def accepted(kind: str) -> int:
            order = desk.in_status("ACCEPTED")
            body = {"order_id": order["id"], "type": kind, "bankaccount_id": 7}
            payout = data_of(desk.post("/payouts", body))
            desk.do(order, "validate")
            return int(payout["id"])

        def opened(kind: str) -> int:
            order = desk.order()
            return int(data_of(desk.post("/payins", {"order_id": order["id"], "type": kind}))["id"])

        facts = {
            "buyer_id": desk.buyer["id"],
            "seller_id": desk.seller["id"],
            "buyer_wallet_id": desk.buyer_wallet["id"],
            "seller_wallet_id": desk.seller_wallet["id"],
            "wallet_uuid": desk.buyer_wallet["uuid"],
            "rejected": desk.paid()["id"],
            "cancelled": desk.paid()["id"],
            "paid": desk.paid()["id"],
            "external_payin_id": opened(CARD),
            "wire_payin_id": opened("BANKWIRE"),
            "denied_payin_id": opened("BANKWIRE"),
            "bank_payout_id": accepted("ACCOUNT"),
            "denied_payout_id": accepted("ACCOUNT"),
            "instance": ESCROW_INSTANCE,
        }

        def credentials(route: Route[Any], request: HttpRequest) -> Mapping[str, str]:
            if route.auth is EscrowAuth.SIGNATURE:
                sender = callback_sender(ESCROW_INSTANCE, EscrowWorld.SANDBOX, CARD)
                secret = callback_secret_of(MASTER_KEY, sender, 1)
                return signed_headers([secret], "msg_1", request.body, desk.now_s * 1000)
            key = OPERATOR_KEY if route.auth is EscrowAuth.OPERATOR else KEY
            return {"authorization": f"Bearer {key}"}

        yield Scene(desk.desk.answer, credentials, facts)


SCENES = {"book": book_scene, "trade": trade_scene, "taker": taker_scene, "escrow": escrow_scene}


@contextmanager
def at_once(world_goes_on: Callable[[], object]) -> Iterator[None]:
    """Have requests that wait pass the time in sleeps, in which the rest of the world goes on."""
    waiting = Waiting()
    waiting.meanwhile = world_goes_on
    with mock.patch.object(polling, "time", waiting), mock.patch.object(wiring, "master_key", return_value=MASTER_KEY):
        yield


def now_day() -> str:
    return datetime.fromtimestamp(now_ms() / 1000, UTC).date().isoformat()


def data_of_taker(response: HttpResponse) -> Any:
    assert response.status == 200, response.body
    return json.loads(response.body)["data"]


# --- sending


def as_json(body: Any) -> tuple[bytes, str]:
    return json.dumps(body, separators=(",", ":")).encode(), "application/json"


def sent_examples(description: Description[Any], encode: Encode = as_json) -> dict[str, Sent]:
    """Send all examples of a desk; each must succeed. Return them by operation id."""
    found = {}
    with SCENES[description.desk]() as scene:
        routes = {description.name_of(route): route for route in description.table}
        for operations in description.operations.values():
            for name, operation in operations.items():
                sent = send(scene, routes[name], operation, encode)
                assert sent.status in (routes[name].status, *operation.statuses), (name, sent)
                found[operation_id(description, operation)] = sent
    return found


def send(scene: Scene, route: Route[Any], operation: Operation, encode: Encode) -> Sent:
    example = operation.example
    path, query, headers = ({name: str(fill(one, scene.facts)) for name, one in values.items()} for values in (
        example.path, example.query, example.headers))  # fmt: skip
    body = None if example.body is None else fill(example.body, scene.facts)
    raw, content_type = (b"", "") if body is None else encode(body)
    where = filled(route.path, {name: quote(value, safe="") for name, value in path.items()})
    lower = {name.lower(): value for name, value in headers.items()}
    lower |= {"content-type": content_type} if raw else {}
    request = HttpRequest(route.method, None, {}, {name: [one] for name, one in query.items()}, lower, raw, where)
    request.headers.update(scene.credentials(route, request))  # type: ignore[attr-defined]
    response = scene.answer(request)
    is_json = response.headers["Content-Type"].startswith("application/json")
    answer = json.loads(response.body) if is_json else response.body
    for name, pointer in example.gives.items():
        scene.facts[name] = at(answer, pointer)
    scene.afterwards()
    return Sent(path, query, headers, body, response.status, answer)


def fill(value: Any, facts: Facts) -> Any:
    """Return a value with what is named in braces; a text that is one name becomes what it names, of any type."""
    if isinstance(value, dict):
        return {name: fill(one, facts) for name, one in value.items()}
    if isinstance(value, list):
        return [fill(one, facts) for one in value]
    if not isinstance(value, str):
        return value
    whole = _NAMED.fullmatch(value)
    return facts[whole[1]] if whole else _NAMED.sub(lambda found: str(facts[found[1]]), value)


def at(answer: Any, pointer: str) -> Any:
    for part in pointer.strip("/").split("/"):
        answer = answer[int(part)] if isinstance(answer, list) else answer[part]
    return answer


# --- what of an answer is new each time

MASKS = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", "time"),
    (r"\b\d{4}-\d\d-\d\d\b", "date"),
    (r"[0-7][0-9A-HJKMNP-TV-Z]{25}", "ulid"),
    (r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "uuid"),
    (r"\b1[5-9]\d{11}\b", "ms"),
    (r"whsec_[\w+/=]+", "secret"),
    (r"evt_[0-9a-f]+_", "event"),
    (r'"(cursor|nc|pc|ticket|jwt|public_id)": "[^"]*"', r'"\1": "opaque"'),
    (r"/[bsq]/[A-Za-z0-9]{32}", "link"),
)


def masked(sent: Sent) -> str:
    """Return an example as text, without what is new each time it is sent."""
    found = json.dumps(asdict(sent), sort_keys=True)
    for pattern, mask in MASKS:
        found = re.sub(pattern, mask, found)
    return found


def main() -> None:
    """Send all examples, and write those that are otherwise than they were."""
    kept = json.loads(EXAMPLES.read_text(encoding="utf-8")) if EXAMPLES.exists() else {}
    found = {}
    for description in DESCRIPTIONS:
        for name, sent in sent_examples(description).items():
            is_same = name in kept and masked(Sent(**kept[name])) == masked(sent)
            found[name] = kept[name] if is_same else asdict(sent)
    EXAMPLES.write_text(written(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
