"""Schemas of the messages on the WebSockets of the trade and the taker desk, to clients and from them.

Tests compare them with every message that the suites of both desks receive.
"""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.apis.kit.description import Schema, nullable, said, words
from chalicelib.apis.taker.socket_messages import Type
from chalicelib.apis.trade.figures import STATUS_WORDS
from chalicelib.apis.trade.socket_topics import Topic
from chalicelib.domain.books.vocabulary import OrderType
from chalicelib.domain.feed.subscription import SUBSCRIPTIONS_MAX
from chalicelib.domain.signed.lifecycle import Status
from infra.asyncapi.bodies import COUNT, FLAG, TEXT, TIME, object_of

NUMBER: Schema = {"type": "number", "description": "In whole units, exact: read it as a decimal, not as a float."}
UNIX_MS: Schema = {"type": "integer", "description": "Unix milliseconds."}
CURSOR: Schema = {"type": "string", "description": "From where to resume: opaque, good for 30 days."}
SIDES = words(("buy", "sell"))
TYPES = words(tuple(kind.lower() for kind in OrderType))
LEVELS: Schema = {"type": "array", "items": object_of({"amount": NUMBER, "price": NUMBER})}
DEPTH = object_of({"timestamp": UNIX_MS, "sequence": COUNT, "asks": LEVELS, "bids": LEVELS, "hash": TEXT})
TOPIC_BODIES: Mapping[Topic, Schema] = {
    Topic.TRADE: object_of(
        {
            "amount": NUMBER,
            "date": TIME,
            "id": TEXT,
            "maker_order_id": TEXT,
            "maker_side": SIDES,
            "maker_type": TYPES,
            "price": NUMBER,
            "pair": TEXT,
            "taker_order_id": TEXT,
            "taker_side": SIDES,
            "taker_type": TYPES,
            "timestamp": UNIX_MS,
            "total_value": NUMBER,
        }
    ),
    Topic.TICKER: object_of(
        {
            **dict.fromkeys(("pair", "base_code", "quote_code", "base_id", "quote_id"), TEXT),
            **dict.fromkeys(("high", "low", "first", "last", "bid", "ask", "volume", "quote_volume"), NUMBER),
            "trades_quantity": COUNT,
            "price_change_percent_24h": TEXT,
            "is_frozen": FLAG,
            "date": TIME,
        }
    ),
    Topic.DEPTH: DEPTH,
    Topic.DEPTH_DELTA: DEPTH,
    Topic.USER_TRADES: object_of(
        {
            "amount": NUMBER,
            "id": TEXT,
            "price": NUMBER,
            "timestamp": UNIX_MS,
            "total_value": NUMBER,
            "date": TIME,
            "side": SIDES,
            "type": TYPES,
            "fee": NUMBER,
            "fee_currency": TEXT,
            "pair_code": TEXT,
            "taker_or_maker": words(("maker", "taker")),
            "maker_order_id": TEXT,
            "taker_order_id": TEXT,
        }
    ),
    Topic.ORDER_STATUS: object_of(
        {
            "id": TEXT,
            "status": words(tuple(dict.fromkeys(STATUS_WORDS.values()))),
            "type": TYPES,
            "side": SIDES,
            "pair": TEXT,
            **dict.fromkeys(("price", "amount", "executed_amount", "remaining_amount"), NUMBER),
            "average_execution_price": NUMBER,
            "external_id": TEXT,
            "user_id": TEXT,
            "created_at": TIME,
            "updated_at": TIME,
            "stop_price": NUMBER,
            "distance": NUMBER,
        },
        optional=("average_execution_price", "external_id", "stop_price", "distance"),
    ),
    Topic.BALANCE: object_of(
        {
            "user_id": TEXT,
            "balances": {
                "type": "array",
                "items": object_of({"currency_code": TEXT, "available_amount": NUMBER, "locked_amount": NUMBER}),
            },
        }
    ),
}
"""The body of a message of each topic."""


def of_topic(topic: Topic) -> Schema:
    """Return the schema of a message of a topic of the trade desk."""
    name: Schema = {"const": topic.value} if topic.is_private else {"type": "string", "pattern": f"^{topic.value}@"}
    members = {"id": COUNT, "topic": name, "timestamp": UNIX_MS, "body": TOPIC_BODIES[topic], "cursor": CURSOR}
    return object_of(members)


SAID = object_of(
    {
        "id": {"const": -1},
        "topic": {"type": "string", "description": "The topic, or pong, error."},
        "timestamp": UNIX_MS,
        "body": object_of({"message": TEXT}, optional=("message",)),
        "cursor": CURSOR,
    },
    optional=("cursor",),
)
STOPPING = object_of(
    {
        "id": {"const": -1},
        "topic": {"const": "system"},
        "type": {"const": "system"},
        "timestamp": UNIX_MS,
        "body": object_of({"message": TEXT}),
    }
)
ASKED = object_of(
    {
        "method": words(("subscribe", "unsubscribe", "ping")),
        "topics": {"type": "array", "items": TEXT, "minItems": 1, "maxItems": SUBSCRIPTIONS_MAX},
        "ticket": {"type": "string", "description": "Of POST /ticket; says who the client is, once a connection."},
        "cursor": CURSOR,
    },
    optional=("topics", "ticket", "cursor"),
)
TOPIC_NAMES: Mapping[Topic, str] = {
    Topic.TRADE: "trade",
    Topic.TICKER: "ticker",
    Topic.DEPTH: "depth",
    Topic.DEPTH_DELTA: "depthDelta",
    Topic.USER_TRADES: "userTrades",
    Topic.ORDER_STATUS: "orderStatus",
    Topic.BALANCE: "balance",
}


def timed(kind: str, timestamp: Schema, members: Mapping[str, Schema]) -> Schema:
    """Return the schema of a message of the taker desk."""
    return object_of({"type": {"const": kind}, "timestamp": timestamp, **members, "cursor": CURSOR})


STATUS_METADATA = {"expires_at": TIME, "lock_id": TEXT, "blockchain_tx_hash": TEXT}
STATUS_CHANGE = timed(
    Type.ORDER_STATUS_CHANGE,
    TIME,
    {
        "data": object_of(
            {
                "order_hash": TEXT,
                "maker": TEXT,
                "taker": said("Who has the lock, or had it before the step.", nullable(TEXT)),
                "from_status": said("Null of a new order.", nullable(words(Status))),
                "to_status": words(Status),
                "metadata": object_of(STATUS_METADATA, optional=tuple(STATUS_METADATA)),
            },
            optional=("metadata",),
        )
    },
)
CANCELLATION_REQUEST = timed(
    Type.CANCELLATION_REQUEST,
    TIME,
    {
        "data": object_of(
            {
                "order_hash": TEXT,
                "maker": TEXT,
                "reason": TEXT,
                "metadata": object_of({"request_id": TEXT, "expires_at": nullable(TIME)}),
            }
        )
    },
)
HEARTBEAT = timed("heartbeat", UNIX_MS, {})
