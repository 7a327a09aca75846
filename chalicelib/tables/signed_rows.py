"""Row formats of signed orders (table ``signed-orders``): keys and contents.

| owner | entry | content |
| --- | --- | --- |
| ``<instance>/signed/<order id>`` | ``order`` | the order: what was signed, and its state |
| | ``fill/<reference>`` | a fill of it; the key is its reference, so a fill sent twice is one (K24) |
| ``<instance>/maker/<address>`` | ``nonce/<20 digits>`` | a nonce that the maker has used, and its order |
| ``<instance>/taker/<address>`` | ``locked/<created at>/<hash>`` | an order that it has locked and never filled (K35) |
| | ``filled/<created at>/<hash>`` | an order that it has filled; permanent |
| | ``unfinished/<created at>/<hash>`` | the same, until the order ends |
| | ``fill/<created at>/<fill id>`` | the fill itself |
| | ``count`` | the numbers of ``filled`` and ``fill`` rows |

Addresses in keys are in lower case. Times in keys are Unix seconds of 12 digits, so each list is in order of time.

An order's row names the takers with an ``unfinished`` row, so that the step that ends the order removes these rows. It
names at most ``UNFINISHED_TAKERS_MAX`` of them, because a transaction is limited; the rows of further takers stay. So
an ``unfinished`` row is only a candidate, and the order's row decides.
"""

from __future__ import annotations

from dataclasses import fields

from chalicelib.domain.signed.lifecycle import Lock, State, Status, next_lapse_s
from chalicelib.domain.signed.order import Hold, SignedOrder, customer_of
from chalicelib.domain.signed.stored import Fill, StoredOrder, TakenOrder
from chalicelib.tables.instruments import DECIMALS_USUAL
from chalicelib.tables.rows import Row, reads_row

ORDER = "order"
COUNT = "count"
LAPSE_SHARDS = 8
"""Number of partitions of the index of lapsing orders; each takes about a thousand writes a second."""


# --- how rows are named


def order_owner(instance: str, order_id: str) -> str:
    return f"{instance}/signed/{order_id}"


def maker_owner(instance: str, maker: str) -> str:
    return f"{instance}/maker/{customer_of(maker)}"


def taker_owner(instance: str, taker: str) -> str:
    return f"{instance}/taker/{customer_of(taker)}"


def order_key(instance: str, order_id: str) -> Row:
    return {"owner": order_owner(instance, order_id), "entry": ORDER}


def nonce_key(instance: str, maker: str, nonce: int) -> Row:
    return {"owner": maker_owner(instance, maker), "entry": f"nonce/{nonce:020d}"}


def seen_key(instance: str, taker: str, stored: StoredOrder, kind: str) -> Row:
    entry = f"{kind}/{digits(stored.created_at_s)}/{stored.order_hash}"
    return {"owner": taker_owner(instance, taker), "entry": entry}


def count_key(instance: str, taker: str) -> Row:
    return {"owner": taker_owner(instance, taker), "entry": COUNT}


def digits(at_s: int) -> str:
    return f"{at_s:012d}"


def nonce_of(row: Row) -> int:
    return int(row["entry"].removeprefix("nonce/"))


# --- what rows say


def row_of(stored: StoredOrder) -> Row:
    """Return the order's row; one in a live status is in the indexes."""
    order, state = stored.order, stored.state
    facts = {fact.name: getattr(order, fact.name) for fact in fields(SignedOrder)}
    row = order_key(stored.instance, stored.order_id) | facts
    row |= {
        "order_hash": stored.order_hash,
        "signature": stored.signature,
        "stock": stored.stock,
        "settles": stored.settles,
        "created_at_s": stored.created_at_s,
        "status": state.status.value,
        "hold_quote": state.hold.quote,
        "hold_stock": state.hold.stock,
        "filled": state.filled,
        "is_cancel_requested": state.is_cancel_requested,
        "notes": state.notes,
        "updated_at_s": state.updated_at_s,
        "version": state.version,
        "written_by": stored.written_by,
    }
    if state.lock is not None:
        lock = state.lock
        row |= {"locked_by": lock.taker, "locked_at_s": lock.locked_at_s, "lock_expires_at_s": lock.expires_at_s}
    if state.fills is not None:
        row["fills"] = state.fills
    if stored.stock_decimals != DECIMALS_USUAL:
        row["stock_decimals"] = stored.stock_decimals
    if stored.unfinished_takers:
        row["unfinished_takers"] = list(stored.unfinished_takers)
    return row | _index_members(stored)


def _index_members(stored: StoredOrder) -> Row:
    """Return the attributes that put the row into the indexes; none for a final or suspended order."""
    lapses_at_s = next_lapse_s(stored.order, stored.state)
    if lapses_at_s is None:
        return {}
    return {
        "open_instance": stored.instance,
        "open_since": f"{digits(stored.created_at_s)}/{stored.order_hash}",
        "lapse_shard": str(int(stored.order_hash[-2:], 16) % LAPSE_SHARDS),
        "lapses_at_s": lapses_at_s,
    }


@reads_row
def order_of(row: Row) -> StoredOrder:
    """Return the order in a row. Raises UnreadableRow."""
    lock = None
    if "locked_by" in row:
        lock = Lock(row["locked_by"], row["locked_at_s"], row["lock_expires_at_s"])
    state = State(
        status=Status(row["status"]),
        hold=Hold(row["hold_quote"], row["hold_stock"]),
        updated_at_s=row["updated_at_s"],
        filled=row["filled"],
        lock=lock,
        is_cancel_requested=row["is_cancel_requested"],
        notes=row["notes"],
        version=row["version"],
        fills=row.get("fills", None if row["filled"] else 0),
    )
    return StoredOrder(
        instance=row["owner"].partition("/")[0],
        order_hash=row["order_hash"],
        order=SignedOrder(**{fact.name: row[fact.name] for fact in fields(SignedOrder)}),
        signature=row["signature"],
        stock=row["stock"],
        stock_decimals=row.get("stock_decimals", DECIMALS_USUAL),
        created_at_s=row["created_at_s"],
        state=state,
        settles=row["settles"],
        written_by=row["written_by"],
        unfinished_takers=tuple(row.get("unfinished_takers", ())),
    )


def nonce_row(stored: StoredOrder) -> Row:
    key = nonce_key(stored.instance, stored.order.maker, stored.order.nonce)
    return key | {"order_id": stored.order_id, "order_hash": stored.order_hash}


def fill_rows(stored: StoredOrder, fill: Fill) -> tuple[Row, Row]:
    """Return a fill's two rows: under its order and under its taker."""
    facts = {fact.name: getattr(fill, fact.name) for fact in fields(Fill)} | {"status": fill.status.value}
    order_owned = {"owner": order_owner(stored.instance, fill.order_id), "entry": f"fill/{fill.reference_id}"}
    entry = f"fill/{digits(fill.created_at_s)}/{fill.fill_id}"
    return order_owned | facts, {"owner": taker_owner(stored.instance, fill.taker), "entry": entry} | facts


@reads_row
def fill_of(row: Row) -> Fill:
    """Return the fill in a row. Raises UnreadableRow."""
    facts = {fact.name: row[fact.name] for fact in fields(Fill)}
    return Fill(**facts | {"status": Status(facts["status"])})


def locked_row(stored: StoredOrder, taker: str, reference_id: str | None, lock_expires_at_s: int) -> Row:
    facts = _seen_facts(stored) | {"lock_expires_at_s": lock_expires_at_s, "reference_id": reference_id}
    return seen_key(stored.instance, taker, stored, "locked") | facts | {"tx_hash": None}


def filled_row(stored: StoredOrder, fill: Fill) -> Row:
    facts = _seen_facts(stored) | {"reference_id": fill.reference_id, "tx_hash": fill.tx_hash}
    return seen_key(stored.instance, fill.taker, stored, "filled") | facts


def unfinished_row(stored: StoredOrder, taker: str) -> Row:
    return seen_key(stored.instance, taker, stored, "unfinished") | _seen_facts(stored)


def _seen_facts(stored: StoredOrder) -> Row:
    order = stored.order
    facts = {"ticker": order.ticker, "exchange": order.exchange, "is_buy": order.is_buy, "price": order.price}
    return facts | {"order_id": stored.order_id}


@reads_row
def seen_of(row: Row) -> TakenOrder:
    """Return the taker's view in a row. Raises UnreadableRow."""
    kind, created_at_s, order_hash = row["entry"].split("/")
    return TakenOrder(
        order_id=row["order_id"],
        order_hash=order_hash,
        created_at_s=int(created_at_s),
        ticker=row["ticker"],
        exchange=row["exchange"],
        is_buy=row["is_buy"],
        price=row["price"],
        reference_id=None if kind == "unfinished" else row["reference_id"],
        tx_hash=None if kind == "unfinished" else row["tx_hash"],
        is_filled=kind != "locked",
        lock_expires_at_s=row.get("lock_expires_at_s"),
    )
