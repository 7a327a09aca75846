"""Tokens, and which of several faults is answered (R9, R10)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.domain.tenancy.credentials import CredentialExists, digest_of
from chalicelib.domain.tenancy.instances import TenancyRefused
from chalicelib.domain.tenancy.keys import API_TOKENS, Permission, TokenStatus
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.dynamodb import Database
from tests.apis.trade.cases import (
    FORBIDDEN,
    LIST,
    NO_ORDER,
    NO_PAIR,
    NOT_FOUND,
    UNSUPPORTED,
    Outcome,
    change_book,
    desk_of_ben,
    invalid,
    open_market,
    order,
    outcome_of,
    place,
    unauthorized,
)
from tests.apis.trade.desk import UNLIMITED, SignedDesk, data_of, make_token, open_trade_desk
from tests.case_tables import cases
from tests.world import INSTANCE, World

UUID = "01563E3A-B5D3-D676-4C61-EFB99302BD5B"


# --- R9: tokens --------------------------------------------------------------------------------------------------

TOKENS = cases(
    ("1 character",              "t"),
    ("256 characters",           "t" * 256),
    ("all visible characters",   "".join(map(chr, range(0x21, 0x7F)))),
)  # fmt: skip


@pytest.mark.parametrize("token", TOKENS)
def test_r9_a_token_is_1_to_256_visible_ascii_characters(desk: SignedDesk, token: str) -> None:
    make_token(desk.world.database, token, "ann")
    assert outcome_of(replace(desk, token=token).get("/trade/user/balances")) == 200


def test_r9_a_token_is_unique_in_the_whole_system(desk: SignedDesk) -> None:
    desk.world.tenants().create_instance("other001", frozenset({"trading"}))
    with pytest.raises(CredentialExists):
        make_token(desk.world.database, desk.token, "ben", Permission.READ, UNLIMITED, "inst_other001")


def test_r9_a_token_is_stored_as_its_sha256_and_its_secret_in_no_readable_form(desk: SignedDesk) -> None:
    desk.get("/trade/user/balances")
    stored = repr(desk.world.tables())
    assert digest_of(desk.token) in stored
    assert desk.token not in stored
    assert desk.secret not in stored


def test_r9_the_instance_needs_the_service(desk: SignedDesk) -> None:
    desk.world.tenants().change(INSTANCE, lambda found: found.without_service("trading"))
    for method, path in (("GET", LIST), ("POST", LIST), ("GET", "/trade/user/balances"), ("GET", "/trade/ticker")):
        assert outcome_of(desk.send(method, path)) == FORBIDDEN


def test_a_token_belongs_to_one_customer_of_one_instance(desk: SignedDesk) -> None:
    """The same customer's reference in another instance is somebody else."""
    desk.world.tenants().create_instance("other001", frozenset({"trading"}))
    make_token(desk.world.database, "token-elsewhere", "ann", Permission.BUY_SELL, UNLIMITED, "inst_other001")
    elsewhere = replace(desk, token="token-elsewhere")
    order_id = data_of(place(desk))["id"]
    assert outcome_of(elsewhere.get(f"/trade/orders/{order_id}")) == NO_ORDER
    assert outcome_of(elsewhere.get(LIST, "pair=BTC_BRL")) == NO_PAIR
    assert outcome_of(desk_of_ben(desk).get(f"/trade/orders/{order_id}")) == NO_ORDER


def test_an_unknown_token_cannot_be_blocked(desk: SignedDesk) -> None:
    with pytest.raises(TenancyRefused):
        Credentials(desk.world.database, API_TOKENS).change(digest_of("nobody"), status=TokenStatus.BLOCKED)


# --- R10: the steps ----------------------------------------------------------------------------------------------

Change = dict[str, Any]


class Request:
    """An order as it is sent, and the desk it is sent to; each fault is one change of it."""

    def __init__(self, database: Database) -> None:
        rate_limit = RateLimit(bucket=0, per_day=1)
        desk = open_trade_desk(World(database), rate_limit=rate_limit)
        self.desk = open_market(database, desk=desk)
        self.path, self.headers, self.members = LIST, dict[str, Any](), order()
        self.tokens = Credentials(database, API_TOKENS)

    def send(self) -> Outcome | int:
        members = {name: value for name, value in self.members.items() if value is not ...}
        return outcome_of(self.desk.send("POST", self.path, body=members, headers=self.headers))


def no_route(request: Request) -> None:
    request.path = "/trade/nowhere"


def too_large(request: Request) -> None:
    request.members["x"] = "x" * 65_536


def header(name: str, value: Any) -> Callable[[Request], None]:
    return lambda request: request.headers.update({name: value})


def blocked(request: Request) -> None:
    request.tokens.change(digest_of("token-of-ann"), status=TokenStatus.BLOCKED)


def late(request: Request) -> None:
    request.headers["timestamp"] = str(request.desk.clock() - 60_000)


def at_the_limit(request: Request) -> None:
    assert request.desk.get("/trade/user/balances").status in (200, 403)


def no_service(request: Request) -> None:
    request.desk.world.tenants().change(INSTANCE, lambda found: found.without_service("trading"))


def member(name: str, value: Any) -> Callable[[Request], None]:
    return lambda request: request.members.update({name: value})


def paused(request: Request) -> None:
    change_book(request.desk, status=BookStatus.PAUSED)


def required(header: str) -> Outcome:
    return unauthorized(f"{header} header is required.")


STEPS: list[tuple[str, Callable[[Request], None], Outcome]] = [
    ("1 no such route",              no_route,                            NOT_FOUND),
    ("1 body over 64 KiB",           too_large,                           invalid("body")),
    ("2 authorization missing",      header("authorization", ...),        required("Authorization")),
    ("3 timestamp missing",          header("timestamp", ...),            required("Timestamp")),
    ("4 signature missing",          header("signature", ...),            required("Signature")),
    ("5 timestamp malformed",        header("timestamp", "12a"),          unauthorized("Timestamp header is invalid.")),
    ("6 tolerance malformed",        header("timestamp-tolerance", "x"),  invalid("timestamp-tolerance")),
    ("7 token unknown",              header("authorization", "nobody"),   unauthorized("API token is invalid.")),
    ("8 token blocked",              blocked,                             unauthorized("API token is blocked.")),
    ("9 outside the window",         late,              unauthorized("Timestamp is outside the tolerance window.")),
    ("10 signature wrong",           header("signature", "x" * 44),       unauthorized("Signature is invalid.")),
    ("11 rate limit",                at_the_limit,                        (429, 42900, "Limit Exceeded")),
    ("12 service missing",           no_service,                          FORBIDDEN),
    ("13 syntax",                    member("amount", "x"),               invalid("amount")),
    ("14 pair unknown",              member("pair", "NOPE_BRL"),          NO_PAIR),
    ("15 the endpoint's own checks", paused,                              UNSUPPORTED),
]  # fmt: skip
EACH = cases(*((name, number) for number, (name, *_) in enumerate(STEPS)))


@pytest.mark.parametrize("number", EACH)
def test_r10_each_fault_has_its_own_answer(memory_database: Database, number: int) -> None:
    request = Request(memory_database)
    _, fault, outcome = STEPS[number]
    fault(request)
    assert request.send() == outcome


@pytest.mark.parametrize("number", EACH)
def test_r10_with_each_later_fault_the_first_one_wins(memory_database: Database, number: int) -> None:
    """Every pair of steps: the later one's fault is made first, so where both change the same the earlier one's is."""
    _, fault, outcome = STEPS[number]
    request = Request(memory_database)
    for _, later, _ in reversed(STEPS[number + 1 :]):
        if later is not at_the_limit:
            later(request)
    fault(request)
    assert request.send() == outcome


def test_r10_the_rate_comes_before_the_permission_and_counts_what_has_none(memory_database: Database) -> None:
    request = Request(memory_database)
    no_service(request)
    assert [request.send(), request.send()] == [FORBIDDEN, (429, 42900, "Limit Exceeded")]


def test_r10_an_empty_header_is_missing(desk: SignedDesk) -> None:
    for name, text in (("authorization", "Authorization"), ("timestamp", "Timestamp"), ("signature", "Signature")):
        answer = outcome_of(desk.send("PUT", LIST, headers={name: ""}))
        assert answer == unauthorized(f"{text} header is required.")


def test_r10_the_first_faulty_field_in_the_tables_order_is_named(desk: SignedDesk) -> None:
    wrong: Change = {name: [] for name in ("side", "amount", "price", "post_only", "immediate_or_cancel")}
    wrong |= {"fill_or_kill": [], "external_id": [], "pair": 5}
    for name in ("pair", "side", "amount", "price", "post_only", "immediate_or_cancel", "fill_or_kill", "external_id"):
        assert outcome_of(place(desk, **wrong)) == invalid(name)
        del wrong[name]
    assert outcome_of(place(desk, **wrong)) == 200


def test_r10_an_unknown_order_comes_after_the_syntax_of_its_id(desk: SignedDesk) -> None:
    assert outcome_of(desk.get("/trade/orders/123")) == invalid("id")
    assert outcome_of(desk.get(f"/trade/orders/{UUID}")) == NO_ORDER
    assert outcome_of(desk.get("/trade/orders/trades", f"order_id={UUID}&page_size=0")) == invalid("page_size")
