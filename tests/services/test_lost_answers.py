"""What was told holds, whichever attempt of the SDK's own was carried out and not answered (T60; guarantees 1, 7).

The loss is beneath the SDK's retries (``lossy_endpoint``): at each write of each command, an attempt is carried out and
its answer lost, or throttles, conflicts and faults come in its place. Told that it is done: it is, once. Told that
nothing was changed: nothing is. Where the tables can be read, what was carried out is known, whatever came after it.
All of it also on an engine that does not know a transaction again by its request token.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.apis.book.routes import BOOKS, CREDIT, ONE_ORDER, SETTINGS, TOKENS, TRANSFER
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.books.admission import Refusal
from chalicelib.domain.books.config import BookConfig
from chalicelib.ops import cli
from chalicelib.ops.cli import books as books_commands
from chalicelib.ops.cli.failures import CommandFailed
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.services.books.admission import Admitted
from chalicelib.services.books.amending import Queued
from chalicelib.services.escrow.desk import EscrowDesk
from chalicelib.services.ledger.movements import Movements, Recorded
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.journal import TABLE as JOURNAL
from chalicelib.tables.rows import Row
from chalicelib.tables.writes import ConditionFailed, Put, Update
from chalicelib.wiring.book import new_book_desk
from chalicelib.wiring.taker import new_taker_desk
from chalicelib.wiring.trade import new_trade_desk
from infra.tables import table_definitions
from tests.apis.book.desk import Desk, open_desk
from tests.apis.escrow import desk as escrow_api
from tests.apis.taker import desk as taker
from tests.apis.trade import desk as trade
from tests.in_memory import PREFIX, database_of, empty_tables
from tests.invariants import check_invariants
from tests.lossy_endpoint import ATTEMPTS_MAX, BATCH_LOSSES, LOSSES, NEVER_APPLIED, CuttingServer, Endpoint, Lossy
from tests.memory import MemoryDynamoDB
from tests.scenarios import CREDITED, Scenario
from tests.services.books import test_admission_faults as admission
from tests.services.escrow import test_faults as escrow
from tests.services.escrow.world import EscrowWorld, check_all
from tests.services.ledger import test_movement_faults as movements
from tests.services.signed import test_faults as signed
from tests.services.signed.market import Market, open_market
from tests.world import BASE, INSTANCE, QUOTE, World

TABLES = [one.name.removeprefix("any-") for one in table_definitions("any")]
WRITES_MAX = 40
APPLIED = [name for name in LOSSES if name != NEVER_APPLIED]
ENGINES = {"tokens known": True, "tokens not known": False}

lossy = pytest.fixture(scope="module")(lambda: Lossy())
losses = pytest.mark.parametrize("loss", LOSSES)
engines = pytest.mark.parametrize("knows_tokens", ENGINES.values(), ids=ENGINES)
SWEPT = {
    "applied, then 500": True,
    "applied, then throttled": False,
    "applied, then conflict": False,
    "applied, then a conflict that passes": True,
    "applied, then in progress": True,
    "applied, answer cut in the middle": False,
    NEVER_APPLIED: True,
}
"""The losses that every command meets, each on one kind of engine: whether that knows tokens."""
swept = pytest.mark.parametrize(("loss", "knows_tokens"), SWEPT.items(), ids=SWEPT)


pytestmark = pytest.mark.usefixtures("no_logs")


def copied(tables: MemoryDynamoDB, *, knows_tokens: bool) -> MemoryDynamoDB:
    copy = tables.clone()
    copy.knows_tokens = knows_tokens
    return copy


def each_write(
    lossy: Lossy, built: MemoryDynamoDB, loss: str, *, knows_tokens: bool = True, least: int = 1
) -> Iterator[tuple[str, MemoryDynamoDB, Endpoint, Any]]:
    """Yield where the loss is, a copy of the tables, its endpoint and its client, once for each write of a command.

    The loss is at the first write, then at the second, until the command makes fewer. At a batch of statements it is
    once for each part that may be done. least: how many writes the command makes.
    """
    for at in range(1, WRITES_MAX):
        part, parts = 0, 1
        while part < parts:
            tables = copied(built, knows_tokens=knows_tokens)
            endpoint = Endpoint(tables, BATCH_LOSSES[loss], at=at, part=part)
            with lossy.over(endpoint) as client:
                yield f"write {at}, part {part}", tables, endpoint, client
            if not endpoint.has_struck:
                assert at > least, "hardly any write was reached"
                return
            part, parts = part + 1, endpoint.parts
    pytest.fail(f"a command takes more than {WRITES_MAX} writes")


def facts(database: Database) -> dict[str, list[str]]:
    """Return what a command changes, but for ids and names, and what counts requests or draws ids."""
    told = ("available", "held", "status", "version", "is_enabled", "services", "iban", "amount", "bucket")

    def is_counter(row: Row) -> bool:
        return "requests" in row or str(row.get("entry", "")).startswith("counter/")

    def shown(row: Row) -> str:
        kind = str(row.get("event", row.get("entry", row.get("credential", "")))).partition("/")[0]
        return str(
            [kind, *(f"{name}={row[name]}" for name in told if name in row), "cancel" in row, len(row.get("keys", []))]
        )

    return {name: sorted(shown(row) for row in database.scan(name) if not is_counter(row)) for name in TABLES}


# The one way to DynamoDB


@pytest.fixture
def tables() -> MemoryDynamoDB:
    return empty_tables()


def attempted(lossy: Lossy, tables: MemoryDynamoDB, loss: str, work: Callable[[Database], object]) -> object:
    with lossy.over(Endpoint(tables, LOSSES[loss], at=1)) as client:
        return work(database_of(client))


ROW = {"owner": "ann", "entry": "x", "by": "me"}
NEW = Put("accounts", ROW, "attribute_not_exists(#entry)")


@pytest.mark.parametrize("loss", APPLIED)
def test_a_write_that_its_own_first_attempt_has_refused_is_known_by_its_row(
    lossy: Lossy, tables: MemoryDynamoDB, loss: str
) -> None:
    try:
        attempted(lossy, tables, loss, lambda database: database.write(NEW))
    except OutcomeUnknown:
        assert LOSSES[loss].then is not None, "an attempt was answered, and it is known what stands there"
    assert database_of(tables).get("accounts", {"owner": "ann", "entry": "x"}) == ROW


def test_a_row_of_another_is_not_taken_for_its_own(lossy: Lossy, tables: MemoryDynamoDB) -> None:
    database_of(tables).write(Put("accounts", ROW | {"by": "another"}))
    for loss in ("applied, answer cut in the middle", "applied, then a conflict that passes"):
        with pytest.raises(ConditionFailed):
            attempted(lossy, tables, loss, lambda database: database.write(NEW))


def test_a_change_that_its_row_does_not_tell_of_is_not_known(lossy: Lossy, tables: MemoryDynamoDB) -> None:
    first = Update("accounts", {"owner": "ann", "entry": "x"}, "SET #n = :n", "attribute_not_exists(#n)", {":n": 1})
    with pytest.raises(OutcomeUnknown):
        attempted(lossy, tables, "applied, answer cut in the middle", lambda database: database.write(first))


def test_throttles_alone_have_changed_nothing(lossy: Lossy, tables: MemoryDynamoDB) -> None:
    for work in (
        lambda database: database.write(NEW),
        lambda database: database.transact([NEW]),
        lambda database: database.put_many("accounts", [ROW]),
    ):
        with pytest.raises(Unavailable):
            attempted(lossy, tables, NEVER_APPLIED, work)
    assert list(database_of(tables).scan("accounts")) == []


@engines
@pytest.mark.parametrize("loss", APPLIED)
def test_a_transaction_that_may_be_done_is_looked_for(
    lossy: Lossy, tables: MemoryDynamoDB, loss: str, knows_tokens: bool
) -> None:
    tables.knows_tokens = knows_tokens

    def is_done() -> bool:
        return database_of(tables).get("accounts", {"owner": "ann", "entry": "x"}) == ROW

    attempted(lossy, tables, loss, lambda database: database.transact([NEW], is_done))
    assert is_done()


@pytest.mark.parametrize("passing", ["applied, then a conflict that passes", "applied, once without an answer"])
def test_a_transaction_that_is_tried_again_is_done_once(lossy: Lossy, tables: MemoryDynamoDB, passing: str) -> None:
    """Without a condition the token alone tells DynamoDB that it has done it."""
    more = Update("accounts", {"owner": "ann", "entry": "x"}, "ADD #n :one", values={":one": 1})
    attempted(lossy, tables, passing, lambda database: database.transact([more]))
    assert database_of(tables).get("accounts", {"owner": "ann", "entry": "x"}) == {"owner": "ann", "entry": "x", "n": 1}


@pytest.mark.parametrize("loss", APPLIED)
def test_a_transaction_that_nobody_can_look_for_is_not_known(lossy: Lossy, tables: MemoryDynamoDB, loss: str) -> None:
    tables.knows_tokens = False
    for is_done in (None, lambda: None):
        with pytest.raises(OutcomeUnknown):
            attempted(lossy, tables.clone(), loss, lambda database, look=is_done: database.transact([NEW], look))


@pytest.mark.parametrize("loss", APPLIED)
def test_rows_that_were_written_in_batches_are_not_said_to_be_unchanged(
    lossy: Lossy, tables: MemoryDynamoDB, loss: str
) -> None:
    try:
        attempted(lossy, tables, loss, lambda database: database.put_many("accounts", [ROW]))
    except OutcomeUnknown:
        assert LOSSES[loss].then is not None
    assert list(database_of(tables).scan("accounts")) == [ROW]


def test_a_batch_after_one_that_was_written_is_not_said_to_have_changed_nothing(
    lossy: Lossy, tables: MemoryDynamoDB
) -> None:
    rows = [{"owner": "ann", "entry": str(number)} for number in range(30)]
    with lossy.over(Endpoint(tables, LOSSES[NEVER_APPLIED], at=2)) as client, pytest.raises(OutcomeUnknown):
        database_of(client).put_many("accounts", rows)


def test_half_an_answer_is_no_answer_to_a_read(lossy: Lossy, tables: MemoryDynamoDB) -> None:
    database_of(tables).write(NEW)
    half = Endpoint(tables, LOSSES["applied, answer made shorter"])
    half._carried_out = lambda operation, body: half.loss.first(operation, body)  # type: ignore[method-assign]
    with lossy.over(half) as client, pytest.raises(Unavailable):
        database_of(client).get("accounts", {"owner": "ann", "entry": "x"})


@pytest.mark.parametrize("loss", [name for name in BATCH_LOSSES if name != NEVER_APPLIED])
def test_a_batch_is_matched_once_whatever_is_lost_of_its_writes(
    lossy: Lossy, market: tuple[MemoryDynamoDB, World], loss: str
) -> None:
    """The entry, and each row that it means, whatever part of a batch of statements is carried out: where all attempts
    are answered in the end, the matcher goes on."""
    for at, tables, _, client in each_write(lossy, market[0], loss, least=4):
        world = market[1].over(database_of(tables))
        world.placed("ben", "BUY", 150, 50)
        world.stream_new_commands()
        if world.over(database_of(client)).deliver(records=world.records):
            assert BATCH_LOSSES[loss].then is not None, at
        assert world.deliver(world.matcher(), world.records) == []
        check_invariants(world, CREDITED)
        assert len(list(database_of(tables).scan(JOURNAL))) == len(list(market[1].database.scan(JOURNAL))) + 1


# Movements


@pytest.fixture(scope="module")
def till() -> tuple[MemoryDynamoDB, World]:
    client = empty_tables()
    return client, open_desk(World(database_of(client))).world


@engines
@losses
@pytest.mark.parametrize("route", movements.MOVEMENTS)
@pytest.mark.parametrize("name", [movements.with_reference, lambda movement: movement], ids=["reference", "none"])
@pytest.mark.parametrize("reads_fail", [False, True], ids=["can look", "cannot look"])
def test_a_movement_is_done_once(
    lossy: Lossy,
    till: tuple[MemoryDynamoDB, World],
    loss: str,
    route: str,
    knows_tokens: bool,
    name: Any,
    reads_fail: bool,
) -> None:
    tables = copied(till[0], knows_tokens=knows_tokens)
    world, movement = till[1].over(database_of(tables)), name(movements.MOVEMENTS[route])
    told: object = None
    with lossy.over(Endpoint(tables, LOSSES[loss], at=1, reads_fail_after=reads_fail)) as client:
        try:
            told = Movements(database_of(client)).record(movement)
        except (Unavailable, OutcomeUnknown) as error:
            told = error
    is_done = movements.funds(world) == movements.AFTER[route]
    if loss == NEVER_APPLIED:
        assert type(told) is Unavailable
        assert movements.funds(world) == (movements.FUNDS, movements.FUNDS)
    else:
        assert is_done
        assert isinstance(told, Recorded if not reads_fail else Recorded | OutcomeUnknown)
    Verifier(world.database).verify(world.book)
    if movement.reference:
        Movements(world.database).record(movement)
        assert movements.funds(world) == movements.AFTER[route]


# What is asked of books


@pytest.fixture(scope="module")
def market() -> tuple[MemoryDynamoDB, World]:
    client = empty_tables()
    return client, Scenario(admission.a_market).world(database_of(client))


ASKED = [
    admission.limit,
    admission.market,
    admission.named,
    admission.expiring,
    admission.too_much,
    admission.cancel,
    admission.amend,
    admission.pause,
]


@swept
@pytest.mark.parametrize("request_of", ASKED)
def test_what_is_asked_of_a_book_is_asked_once(
    lossy: Lossy, market: tuple[MemoryDynamoDB, World], request_of: Any, loss: str, knows_tokens: bool
) -> None:
    tables = copied(market[0], knows_tokens=knows_tokens)
    world = market[1].over(database_of(tables))
    before = world.tables()
    with lossy.over(Endpoint(tables, LOSSES[loss], at=1)) as client:
        try:
            told = request_of(database_of(client), world)
        except (Unavailable, OutcomeUnknown) as error:
            told = error
    if request_of is admission.too_much and not isinstance(told, Unavailable | OutcomeUnknown):
        assert isinstance(told, Refusal)
    elif loss == NEVER_APPLIED:
        assert type(told) is Unavailable
    elif request_of is not admission.too_much:
        assert told is True or isinstance(told, Admitted | BookConfig | Queued)
    if isinstance(told, Unavailable | Refusal):
        assert world.tables() == before
    world.stream_new_commands()
    assert len(world.records) == len(market[1].records) + (
        told is True or isinstance(told, Admitted | BookConfig | Queued)
    )
    assert world.deliver() == []
    check_invariants(world, CREDITED)


# Signed orders


@pytest.fixture(scope="module")
def opened() -> MemoryDynamoDB:
    client = empty_tables()
    open_market(database_of(client), fee_bps=25)
    return client


@swept
@pytest.mark.parametrize("name", signed.SCENARIOS)
def test_a_command_on_a_signed_order(
    lossy: Lossy, opened: MemoryDynamoDB, name: str, loss: str, knows_tokens: bool
) -> None:
    scenario, built = signed.SCENARIOS[name], opened.clone()
    calm = Market(database_of(built))
    calm.settings = replace(calm.settings, fee_bps=25)
    scenario.before(calm)
    before = signed.shown(calm)
    swept, done = calm.over(database_of(built.clone())), calm.over(database_of(built.clone()))
    swept.desk.sweep()
    scenario.command(done)
    for at, tables, _, client in each_write(lossy, built, loss, knows_tokens=knows_tokens):
        market, struck = calm.over(database_of(tables)), calm.over(database_of(client))
        try:
            scenario.command(struck)
        except (Unavailable, OutcomeUnknown) as error:
            assert loss == NEVER_APPLIED, f"{at}: not known to be done"
            assert isinstance(error, Unavailable) or name == "sweep"  # noqa: PT017 - its own word for a lapse left
            assert signed.shown(market) in (before, signed.shown(swept))
        else:
            assert signed.shown(market) == signed.shown(done), at
        signed.proven(market)


# Escrow orders


@swept
@pytest.mark.parametrize("name", escrow.SCENARIOS)
def test_a_command_on_an_escrow_order(
    lossy: Lossy, escrows: tuple[MemoryDynamoDB, EscrowWorld], name: str, loss: str, knows_tokens: bool
) -> None:
    scenario, built = escrow.SCENARIOS[name], escrows[0].clone()
    calm = escrows[1].over(database_of(built))
    order = scenario.prepare(calm)
    done = calm.over(database_of(built.clone()))
    scenario.command(done, order, escrow.receipt_of(done))
    before, after = facts(calm.database), escrow.facts(done)
    for at, tables, _, client in each_write(lossy, built, loss, knows_tokens=knows_tokens):
        world, struck = calm.over(database_of(tables)), calm.over(database_of(client))
        try:
            scenario.command(struck, order, escrow.receipt_of(struck))
        except Unavailable:
            assert facts(world.database) == before, f"{at}: unavailable, and something was changed"
            scenario.command(world, order, escrow.receipt_of(world))
        world.desk.sweep()
        check_all(world)
        assert escrow.facts(world) == after, at


@pytest.fixture(scope="module")
def escrows() -> tuple[MemoryDynamoDB, EscrowWorld]:
    client = empty_tables()
    world = EscrowWorld(database_of(client))
    world.deposit(200)
    return client, world


# Over HTTP, at each desk

Send = Callable[[Database], HttpResponse]
NEW_BOOK = {"tokenAddress": QUOTE, "quoteTokenAddress": BASE, "name": "New", "symbol": "N/Q"}


def over_http(
    lossy: Lossy,
    built: MemoryDynamoDB,
    loss: str,
    send: Send,
    *,
    knows_tokens: bool = True,
    sweep: Callable[[Database], object] = lambda _database: None,
) -> None:
    """Send a request once for each of its writes; hold what was told against the tables.

    sweep: does what a request that is done may leave to a sweep.
    """
    done = built.clone()
    assert send(database_of(done)).status in (200, 201)
    before, after = facts(database_of(built)), facts(database_of(done))
    assert before != after
    for at, tables, endpoint, client in each_write(lossy, built, loss, knows_tokens=knows_tokens):
        response = send(database_of(client))
        now = facts(database_of(tables))
        if response.status in (200, 201):
            sweep(database_of(tables))
            assert facts(database_of(tables)) == after, f"{at}: told that it is done"
        else:
            assert loss == NEVER_APPLIED or endpoint.lost_ids, f"{at}: {response.status}, and it is done"
            assert response.status in (500, 503)
            assert now == before, f"{at}: {response.status}, and it is done"
            assert send(database_of(tables)).status in (200, 201)
            assert facts(database_of(tables)) == after


AMENDED = json.dumps({"customerRef": "ann", "quantity": "12"}).encode()


def book_requests(world: World) -> dict[str, Callable[[Desk], HttpResponse]]:
    order_id = next(row["order_id"] for row in world.database.scan("open-orders"))
    keyed = {"idempotency-key": "key-0001"}
    return {
        "credit": lambda desk: desk.post(CREDIT, amount="500"),
        "credit under a key": lambda desk: desk.post(CREDIT, key="key-0001", amount="500"),
        "transfer under a key": lambda desk: desk.post(TRANSFER, key="key-0001", amount="5"),
        "token under a key": lambda desk: desk.post(TOKENS, key="key-0001"),
        "place": lambda desk: desk.place(customerRef="ben", side="BUY"),
        "place under a key": lambda desk: desk.place(keyed, customerRef="ben", side="BUY"),
        "cancel": lambda desk: _accepted(desk.cancel(order_id)),
        "amend": lambda desk: _accepted(desk.send("PATCH", ONE_ORDER, body=AMENDED, orderId=order_id)),
        "amend under a key": lambda desk: _accepted(
            desk.send("PATCH", ONE_ORDER, body=AMENDED, headers=keyed, orderId=order_id)
        ),
        "settings": lambda desk: desk.send(
            "PATCH", SETTINGS, body=json.dumps({"makerFeeBps": 7}).encode(), orderBookId=world.config.book_id
        ),
        "book under a key": lambda desk: desk.send("POST", BOOKS, body=json.dumps(NEW_BOOK).encode(), headers=keyed),
    }


def _accepted(response: HttpResponse) -> HttpResponse:
    """A cancel or an amendment that is queued is done, though nobody decides it here."""
    code = json.loads(response.body).get("error", {}).get("code")
    is_queued = code in ("CANCEL_PENDING", "AMENDMENT_PENDING")
    return replace(response, status=200) if is_queued else response


@pytest.fixture(scope="module")
def book_desk() -> tuple[MemoryDynamoDB, World]:
    client = empty_tables()
    world = open_desk(World(database_of(client))).world
    Desk(world, new_book_desk(world.database)).placed(customerRef="ann", side="SELL")
    return client, world


@swept
@pytest.mark.parametrize(
    "name",
    [
        "credit", "credit under a key", "transfer under a key", "token under a key", "place", "place under a key",
        "cancel", "amend", "amend under a key", "settings", "book under a key",
    ],
)  # fmt: skip
def test_a_request_to_the_book_desk(
    lossy: Lossy, book_desk: tuple[MemoryDynamoDB, World], name: str, loss: str, knows_tokens: bool
) -> None:
    send = book_requests(book_desk[1])[name]

    def sent(database: Database) -> HttpResponse:
        return send(Desk(book_desk[1].over(database), new_book_desk(database, cancel_wait_s=0)))

    over_http(lossy, book_desk[0], loss, sent, knows_tokens=knows_tokens)


def test_a_credit_whose_outcome_nobody_knows_is_not_called_unchanged(
    lossy: Lossy, book_desk: tuple[MemoryDynamoDB, World]
) -> None:
    tables = book_desk[0].clone()
    endpoint = Endpoint(tables, LOSSES["applied, then throttled"], at=1, reads_fail_after=True)
    with lossy.over(endpoint) as client:
        desk = Desk(book_desk[1].over(database_of(client)), new_book_desk(database_of(client)))
        response = desk.post(CREDIT, amount="500")
    told = json.loads(response.body)["error"]
    assert (response.status, told["code"]) == (500, "INTERNAL_ERROR")
    assert told["message"] == "It is not known whether the request was carried out; look before you repeat it"
    assert "Retry-After" not in response.headers


@engines
@pytest.mark.parametrize("cut", [1, 4], ids=["once", "each time"])
def test_a_credit_whose_answers_break_off_on_their_way_is_done_once(
    book_desk: tuple[MemoryDynamoDB, World], cut: int, knows_tokens: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over real sockets, through the client that ``wiring`` makes."""
    tables = copied(book_desk[0], knows_tokens=knows_tokens)
    before, _ = book_desk[1].over(database_of(tables)).balance("ann", BASE)
    with CuttingServer(tables, cut) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
            monkeypatch.setenv("TALLYBOOK_TABLE_PREFIX", PREFIX)
            database = wiring._database(connect_timeout_s=2, read_timeout_s=5, attempts_max=ATTEMPTS_MAX)
            desk = Desk(book_desk[1].over(database), new_book_desk(database))
            assert desk.post(CREDIT, amount="500").status == 200
        finally:
            server.shutdown()
            thread.join()
    assert server.left_to_cut == 0
    assert book_desk[1].over(database_of(tables)).balance("ann", BASE)[0] == before + 500


@pytest.fixture(scope="module")
def trade_desk() -> tuple[MemoryDynamoDB, trade.SignedDesk, str]:
    client = empty_tables()
    desk = trade.open_trade_desk(World(database_of(client)))
    desk.world.credit("ann", QUOTE, 10**30)
    placed = trade.data_of(desk.place(external_id="first"))
    return client, desk, str(placed["id"])


@swept
@pytest.mark.parametrize("name", ["place", "amend", "cancel", "cancel by name"])
def test_a_request_to_the_trade_desk(
    lossy: Lossy, trade_desk: tuple[MemoryDynamoDB, trade.SignedDesk, str], name: str, loss: str, knows_tokens: bool
) -> None:
    built, desk, order_id = trade_desk

    def sent(database: Database) -> HttpResponse:
        served = new_trade_desk(database, master_key=lambda: trade.MASTER_KEY, cancel_wait_s=0)
        client = replace(desk, desk=served)
        if name == "place":
            return client.place(external_id="mine")
        if name == "amend":
            response = client.send("PUT", "/trade/orders", body={"order_id": order_id, "amount": "11"})
        elif name == "cancel":
            response = client.delete("/trade/orders", {"id": order_id})
        else:
            response = client.delete("/trade/orders/by-external-id", {"external_id": "first"})
        is_queued = json.loads(response.body)["error_code"] == 50003
        return replace(response, status=200) if is_queued else response

    over_http(lossy, built, loss, sent, knows_tokens=knows_tokens)


@pytest.fixture(scope="module")
def taker_desk() -> tuple[MemoryDynamoDB, taker.Desk, str]:
    client = empty_tables()
    desk = taker.open_taker_desk(database_of(client))
    return client, desk, desk.created()


@swept
@pytest.mark.parametrize(
    "name",
    [
        "connect", "create", "lock", "unlock", "fill", "fill without a reference", "reject", "cancel",
        "cancel a locked order", "answer a cancel",
    ],
)  # fmt: skip
def test_a_request_to_the_taker_desk(
    lossy: Lossy, taker_desk: tuple[MemoryDynamoDB, taker.Desk, str], name: str, loss: str, knows_tokens: bool
) -> None:
    built, desk, order_hash = taker_desk[0].clone(), *taker_desk[1:]
    body = taker.connect_body(desk) if name == "connect" else desk.order_body(nonce=2)
    half = int(taker.ORDER["quantity"]) // 2

    def over(database: Database) -> taker.Desk:
        served = new_taker_desk(
            database, master_key=lambda: taker.MASTER_KEY, public_instance=INSTANCE, clock=desk.clock
        )
        return replace(desk, database=database, desk=served)

    if name in ("unlock", "fill", "fill without a reference", "reject", "cancel a locked order", "answer a cancel"):
        assert over(database_of(built)).lock(order_hash).status == 200
    if name == "answer a cancel":
        assert over(database_of(built)).cancel(order_hash).status == 200

    def sent(database: Database) -> HttpResponse:
        client = over(database)
        requests: dict[str, Callable[[], HttpResponse]] = {
            "connect": lambda: client.send("POST", "/makers/connect", body=body),
            "create": lambda: client.maker_post("/orders", body),
            "lock": lambda: client.lock(order_hash),
            "unlock": lambda: client.unlock(order_hash),
            "fill": lambda: client.fill(order_hash, half, reference_id="R-1"),
            "fill without a reference": lambda: client.fill(order_hash, half),
            "reject": lambda: client.reject(order_hash),
            "cancel": lambda: client.cancel(order_hash),
            "cancel a locked order": lambda: client.cancel(order_hash),
            "answer a cancel": lambda: client.cancel_result(order_hash, True),
        }
        return requests[name]()

    over_http(lossy, built, loss, sent, knows_tokens=knows_tokens)


@pytest.fixture(scope="module")
def escrow_desk() -> tuple[MemoryDynamoDB, escrow_api.Desk, dict[str, dict[str, Any]]]:
    client = empty_tables()
    desk = escrow_api.Desk(database_of(client))
    desk.deposit(500)
    return client, desk, {status: desk.in_status(status) for status in ("DRAFT", "PUBLISHED", "ACCEPTED")}


ESCROW_REQUESTS: dict[str, tuple[str, Callable[[escrow_api.Desk, dict[str, Any]], HttpResponse]]] = {
    "customer": ("DRAFT", lambda desk, _: desk.post("/customers", {"email": "new@x.test"})),
    "order": ("DRAFT", lambda desk, _: desk.post("/orders", desk.usual_order())),
    "payin": (
        "DRAFT",
        lambda desk, order: desk.post(
            "/payins", {"order_id": order["id"], "type": "WALLET", "wallet_id": desk.buyer_wallet["id"]}
        ),
    ),
    "bank wire": (
        "DRAFT",
        lambda desk, order: desk.post("/payins", {"order_id": order["id"], "type": "BANKWIRE"}),
    ),
    "accept": ("PUBLISHED", lambda desk, order: desk.post(f"/orders/{order['id']}/accept")),
    "reimburse": ("PUBLISHED", lambda desk, order: desk.post(f"/orders/{order['id']}/reimburse", {"amount": 10})),
    "cancel": ("PUBLISHED", lambda desk, order: desk.post(f"/orders/{order['id']}/cancel")),
    "validate": ("ACCEPTED", lambda desk, order: desk.post(f"/orders/{order['id']}/validate")),
    "payout": (
        "ACCEPTED",
        lambda desk, order: desk.post(
            "/payouts", {"order_id": order["id"], "type": "WALLET", "wallet_id": desk.seller_wallet["id"]}
        ),
    ),
    "deposit": (
        "DRAFT",
        lambda desk, _: desk.operate(
            f"/wallets/{desk.buyer_wallet['uuid']}/deposit", {"amount": 7, "reference": "bank-7"}
        ),
    ),
}
"""By name: the status of the order that it is for, and the request."""


@swept
@pytest.mark.parametrize("key", [{}, {"idempotency-key": "key-0001"}], ids=["no key", "key"])
@pytest.mark.parametrize("name", ESCROW_REQUESTS)
def test_a_request_to_the_escrow_desk(
    lossy: Lossy,
    escrow_desk: tuple[MemoryDynamoDB, escrow_api.Desk, dict[str, dict[str, Any]]],
    name: str,
    key: dict[str, str],
    loss: str,
    knows_tokens: bool,
) -> None:
    built, desk, orders = escrow_desk
    status, request = ESCROW_REQUESTS[name]

    class Keyed(escrow_api.Desk):
        def post(self, path: str, body: object = None, **more: Any) -> HttpResponse:
            return super().post(path, body, headers=key, **more)

    def sent(database: Database) -> HttpResponse:
        client = desk.over(database)
        client.__class__ = Keyed
        return request(client, orders[status])

    def sweep(database: Database) -> object:
        return EscrowDesk(database, lambda: desk.now_s).sweep()

    over_http(lossy, built, loss, sent, knows_tokens=knows_tokens, sweep=sweep)


# The operator's command line

CUSTOMER = f"--instance {INSTANCE} --customer ann --asset {BASE}"
SET_UP = (
    "instance create --ref test0001",
    f"token create --instance {INSTANCE} --token-address {BASE} --name Base --symbol B",
    f"token create --instance {INSTANCE} --token-address {QUOTE} --name Quote --symbol Q",
    f"credit {CUSTOMER} --amount 500",
    f"escrow-desk currency {INSTANCE} EUR --token-address {QUOTE}",
    f"book create --instance {INSTANCE} --id ob_1 --name D --symbol D/Q --token-address {BASE} "
    f"--quote-token-address {QUOTE}",
    f"key create --instance {INSTANCE}",
    f"api-token create --instance {INSTANCE} --customer ann --permission read",
    f"taker-key create --instance {INSTANCE} --taker 0x{'1' * 40}",
    f"escrow-key create --instance {INSTANCE} --operator --world sandbox",
)
LINES = {
    "instance": "instance create --ref test0002",
    "service": f"instance disable {INSTANCE} trading",
    "key": f"key create --instance {INSTANCE}",
    "token": f"token create --instance {INSTANCE} --token-address 0x{'9' * 40} --name Nine --symbol NINE",
    "credit": f"credit {CUSTOMER} --amount 500",
    "named credit": f"credit {CUSTOMER} --amount 500 --id txn_1",
    "debit": f"debit {CUSTOMER} --amount 500 --reference r",
    "book": (
        f"book create --instance {INSTANCE} --id ob_2 --name E --symbol Q/D --token-address {QUOTE} "
        f"--quote-token-address {BASE}"
    ),
    "pause": f"book pause {INSTANCE}/ob_1",
    "api token": f"api-token create --instance {INSTANCE} --customer ann --permission read",
    "taker key": f"taker-key create --instance {INSTANCE} --taker 0x{'1' * 40}",
    "instrument": f"instrument add --instance {INSTANCE} --exchange 0 --ticker AAPL --token-address {BASE}",
    "quote": f"quote add --instance {INSTANCE} --token-address {QUOTE}",
    "settings": f"escrow-desk settings {INSTANCE} --iban ES00",
    "merchant": f"merchant create {INSTANCE} shop --base-currency EUR",
    "escrow key": f"escrow-key create --instance {INSTANCE} --operator --world sandbox",
    "archive": f"instance archive {INSTANCE}",
    "rotate": f"key rotate {INSTANCE} {{key}}",
    "revoke": f"key revoke {INSTANCE} {{key}}",
    "limit": f"key limit {INSTANCE} {{key}} 7",
    "block": "api-token block {api-token}",
    "disable a taker key": "taker-key disable {taker-key}",
    "limit a taker key": "taker-key limit {taker-key} --burst 7",
    "disable an escrow key": "escrow-key disable {escrow-key}",
    "delete an escrow key": "escrow-key delete {escrow-key}",
    "currency": f"escrow-desk currency {INSTANCE} USD --token-address {BASE}",
    "taker desk": f"taker-desk change {INSTANCE} --fee-bps 7",
}
SAME_HOWEVER_OFTEN = (
    "instrument", "quote", "block", "disable a taker key", "limit a taker key", "disable an escrow key",
)  # fmt: skip
"""Writes without a condition that their first attempt breaks: nobody looks, for to write them again is no harm."""


@pytest.fixture(scope="module")
def operated() -> tuple[MemoryDynamoDB, dict[str, str]]:
    """An instance with all that lines name, and the ids of its keys by their kind."""
    client, ids = empty_tables(), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring, "database", lambda: database_of(client))
        patch.setenv("TALLYBOOK_MASTER_KEY", "k" * 40)
        for line in SET_UP:
            made = cli.run(line.split())
            ids[line.split()[0]] = str(made.get("key_id", made.get("token_id")))
    return client, ids


@swept
@pytest.mark.parametrize("name", LINES)
def test_a_command_of_the_operator(
    lossy: Lossy,
    operated: tuple[MemoryDynamoDB, dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    loss: str,
    knows_tokens: bool,
) -> None:
    built, ids = operated
    line = LINES[name].format_map(ids).split()
    monkeypatch.setenv("TALLYBOOK_MASTER_KEY", "k" * 40)
    monkeypatch.setattr(books_commands, "CHANGE_WAIT_S", 0)  # no matcher runs that a change could wait for

    def run(tables: Any) -> None:
        monkeypatch.setattr(wiring, "database", lambda: database_of(tables))
        cli.run(line)

    done = built.clone()
    run(done)
    before, after = facts(database_of(built)), facts(database_of(done))
    assert before != after
    for at, tables, endpoint, client in each_write(lossy, built, loss, knows_tokens=knows_tokens):
        try:
            run(client)
        except CommandFailed as failed:
            is_unchanged = loss == NEVER_APPLIED or endpoint.lost_ids
            is_told_unknown = name in SAME_HOWEVER_OFTEN and "not known" in failed.args[0]
            assert is_unchanged or is_told_unknown, f"{at}: {failed}"  # noqa: PT017
            assert facts(database_of(tables)) == (before if is_unchanged else after)
        else:
            assert facts(database_of(tables)) == after
