"""Composition root: builds the program from its environment, once for each process.

Only this module and ``support.telemetry`` (which needs its settings before anything else runs) read the environment:

``TALLYBOOK_TABLE_PREFIX`` (default ``tallybook``) names the tables; the standard AWS variables name the engine.
``TALLYBOOK_MASTER_KEY`` is the master key of the desks' secrets, or ``TALLYBOOK_MASTER_KEY_PARAMETER`` names an SSM
parameter (SecureString) with it. During a rotation, the previous key is ``TALLYBOOK_MASTER_KEY_PREVIOUS``, or the
version of that parameter labelled ``previous``. ``TALLYBOOK_PUBLIC_INSTANCE`` is the instance of public routes, and of
makers who connect without naming one. ``TALLYBOOK_PUBLIC_REQUESTS_PER_MINUTE`` is the rate limit of a client address on
public routes. ``TALLYBOOK_DELIVER_FUNCTION`` is the function that makes webhook deliveries; without it, the process
that sweeps makes them. ``TALLYBOOK_CONNECTIONS_URL`` is where API Gateway takes messages to WebSocket connections;
without it, there are none. ``TALLYBOOK_BEAT_FUNCTION`` is the function that begins WebSocket connections, once they are
open; without it, a thread of the process that lets them in does. ``TALLYBOOK_WEBHOOKS_ALLOW_LOCAL`` (1) lets webhooks
go to http and loopback addresses, for a run on the developer's machine. ``AWS_LAMBDA_FUNCTION_MEMORY_SIZE``, set by
Lambda, bounds the orders kept in memory (T55).

Each function needs only some of these objects, so imports stand inside the functions that build them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import Session

from chalicelib.support.clock import now_ms, now_s
from chalicelib.support.telemetry import logger
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.parallel import ThreadPool

if TYPE_CHECKING:
    from chalicelib.domain.tenancy.master_keys import MasterKeys
    from chalicelib.domain.tenancy.rate_limit import RateLimit
    from chalicelib.services.books.expiry import Expiring
    from chalicelib.services.books.matcher import Matcher
    from chalicelib.services.books.metrics import MatchTelemetry
    from chalicelib.services.escrow.desk import EscrowDesk
    from chalicelib.services.push.following import Receiver, Rows
    from chalicelib.services.signed.desk import SignedOrderDesk
    from chalicelib.services.webhooks.delivering import Deliverer
    from chalicelib.services.webhooks.dispatching import Dispatcher
    from chalicelib.services.webhooks.endpoints import EndpointDesk
    from chalicelib.wiring.push import Pushing

CONNECTIONS_MAX = 32
WRITES_AT_ONCE = 16
"""Parallel calls that do not depend on each other: an entry of 100 orders settles accounts and fills by twelve."""
COUNT_TIMEOUT_S = 0.5
PER_MINUTE_DIGITS_MAX = 9
PARAMETER_TIMEOUT_S, PARAMETER_ATTEMPTS_MAX = 5, 3
PREVIOUS_TIMEOUT_S = 1
"""Bounds of reading the previous key: any wrong signature causes a read, which must not keep a function busy."""
PREVIOUS = "previous"
"""Label of the SSM parameter's version that is accepted beside the newest one."""
NO_SUCH_VERSION = {"ParameterNotFound", "ParameterVersionNotFound"}


class NoMasterKey(Exception):
    """The master key is missing or too short. The message says what to do."""


@dataclass(frozen=True, slots=True)
class TableLocation:
    """Where the tables are expected; ``..._by``: the variable that says so, None if none does.

    client: the client that calls them.
    """

    prefix: str
    prefix_by: str | None
    region: str
    region_by: str | None
    endpoint: str
    endpoint_by: str | None
    client: Any


def table_location() -> TableLocation:
    """Return where this process expects its tables, for an error message. Call it only after a failure."""
    config = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1})
    client: Any = _session().create_client("dynamodb", config=config)
    endpoint = str(client.meta.endpoint_url)
    named = ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL")
    return TableLocation(
        prefix=os.environ.get("TALLYBOOK_TABLE_PREFIX", "tallybook"),
        prefix_by=_set("TALLYBOOK_TABLE_PREFIX"),
        region=str(client.meta.region_name),
        region_by=_set("AWS_DEFAULT_REGION") or _set("AWS_PROFILE"),
        endpoint=endpoint,
        endpoint_by=next((name for name in named if os.environ.get(name) == endpoint), None),
        client=client,
    )


def _set(variable: str) -> str | None:
    return variable if variable in os.environ else None


@cache
def database() -> Database:
    """Return the tables. A call is tried up to four times, within a function's time limit."""
    return _database(connect_timeout_s=2, read_timeout_s=5, attempts_max=4)


@cache
def counters() -> Database:
    """Return the tables as used for rate limits: one attempt of half a second, because no answer waits for it (T6)."""
    return _database(connect_timeout_s=COUNT_TIMEOUT_S, read_timeout_s=COUNT_TIMEOUT_S, attempts_max=1)


def ask_tables() -> None:
    """Read a row that cannot exist (instances begin with ``inst_``). Raises if the tables do not answer."""
    counters().get("tenants", {"instance": "health", "credential": "instance"})


def _database(connect_timeout_s: float, read_timeout_s: float, attempts_max: int) -> Database:
    config = Config(
        connect_timeout=connect_timeout_s,
        read_timeout=read_timeout_s,
        max_pool_connections=CONNECTIONS_MAX,
        retries={"total_max_attempts": attempts_max, "mode": "standard"},
    )
    client: Any = _session().create_client("dynamodb", config=config)
    prefix = os.environ.get("TALLYBOOK_TABLE_PREFIX", "tallybook")
    return Database(client, prefix, together=ThreadPool(WRITES_AT_ONCE))


@cache
def _session() -> Session:
    """Return the session of all clients, so that AWS's data is loaded once."""
    return Session()


def master_key() -> bytes:
    """Return the master key. Raises NoMasterKey, or SSM's error; then the next call tries again."""
    return master_keys().newest()


def previous_master_key() -> bytes | None:
    """Return the previous master key, which is still accepted; None if there is none."""
    return master_keys().previous()


@cache
def master_keys() -> MasterKeys:
    from chalicelib.domain.tenancy.master_keys import MasterKeys

    return MasterKeys(_read_master_key, _read_previous_master_key, time.monotonic)


def _read_master_key() -> bytes:
    from chalicelib.domain.tenancy.master_keys import MASTER_KEY_BYTES_MIN

    text = os.environ.get("TALLYBOOK_MASTER_KEY", "")
    if not text and (parameter := os.environ.get("TALLYBOOK_MASTER_KEY_PARAMETER", "")):
        text = _parameter(parameter)
    key = text.strip().encode()
    if len(key) < MASTER_KEY_BYTES_MIN:
        raise NoMasterKey(
            f"no master key of {MASTER_KEY_BYTES_MIN} characters or more: set TALLYBOOK_MASTER_KEY, "
            "or TALLYBOOK_MASTER_KEY_PARAMETER to the name of an SSM parameter"
        )
    return key


def _read_previous_master_key() -> bytes | None:
    """Return the previous key; None if there is none. Raises SSM's error after logging it."""
    from chalicelib.domain.tenancy.master_keys import MASTER_KEY_BYTES_MIN

    text = os.environ.get("TALLYBOOK_MASTER_KEY_PREVIOUS", "")
    parameter = os.environ.get("TALLYBOOK_MASTER_KEY_PARAMETER", "")
    if not text and parameter and not os.environ.get("TALLYBOOK_MASTER_KEY", ""):
        try:
            text = _parameter(f"{parameter}:{PREVIOUS}", PREVIOUS_TIMEOUT_S, attempts_max=1)
        except ClientError as error:
            if error.response["Error"]["Code"] not in NO_SUCH_VERSION:
                logger.warning("the master key before the newest one cannot be read", exc_info=True)
                raise
    key = text.strip().encode()
    return key if len(key) >= MASTER_KEY_BYTES_MIN else None


def _parameter(name: str, timeout_s: int = PARAMETER_TIMEOUT_S, attempts_max: int = PARAMETER_ATTEMPTS_MAX) -> str:
    client = aws_client("ssm", timeout_s, attempts_max)
    value: str = client.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    return value


def public_limit() -> RateLimit:
    """Return the rate limit of a client address on public routes (R46).

    ``TALLYBOOK_PUBLIC_REQUESTS_PER_MINUTE`` changes the rate; the burst is a sixth of it. 0 switches the limit off.
    """
    from chalicelib.domain.tenancy.rate_limit import RateLimit
    from chalicelib.services.tenancy.rate_limiter import ANONYMOUS_LIMITS, AnonymousUse

    text = os.environ.get("TALLYBOOK_PUBLIC_REQUESTS_PER_MINUTE", "")
    if not text:
        return ANONYMOUS_LIMITS[AnonymousUse.MARKET_DATA]
    if not (text.isascii() and text.isdigit() and len(text) <= PER_MINUTE_DIGITS_MAX):
        raise ValueError("TALLYBOOK_PUBLIC_REQUESTS_PER_MINUTE must be a whole number")
    per_minute = int(text)
    if not per_minute:
        return RateLimit(bucket=0, per_day=0)
    return RateLimit(bucket=max(1, per_minute // 6), refill_per_1000_s=max(1, per_minute * 1000 // 60), per_day=0)


def public_instance() -> str | None:
    """Return the instance of public routes (R3), at which makers connect (K6); None if there is none."""
    return os.environ.get("TALLYBOOK_PUBLIC_INSTANCE") or None


def orders_max() -> int:
    """Return the maximum number of open orders kept in memory, by this function's memory (T55)."""
    from chalicelib.services.books.book_cache import UNBOUNDED_MEMORY_MB, cached_orders_max

    return cached_orders_max(int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", UNBOUNDED_MEMORY_MB)))


@cache
def match_telemetry() -> MatchTelemetry:
    from chalicelib.services.books.metrics import MatchTelemetry

    return MatchTelemetry()


@cache
def matcher() -> Matcher:
    from chalicelib.services.books.matcher import Matcher

    return Matcher(database(), now_ms, match_telemetry(), orders_max=orders_max())


@cache
def releasing_matcher() -> Matcher:
    """Return a matcher that accepts parked books, for the operator's release (T53)."""
    from chalicelib.services.books.matcher import Matcher

    return Matcher(database(), now_ms, match_telemetry(), takes_parked=True)


@cache
def expiring() -> Expiring:
    """Return the expiry job, with a matcher of its own: it may run in parallel with ``matcher``."""
    from chalicelib.services.books.expiry import Expiring
    from chalicelib.services.books.matcher import Matcher

    return Expiring(database(), Matcher(database(), now_ms, match_telemetry(), orders_max=orders_max()), now_ms)


@cache
def signed_order_desk() -> SignedOrderDesk:
    """Return the taker desk's commands, for the sweep and the operator."""
    from chalicelib.services.signed.desk import SignedOrderDesk

    return SignedOrderDesk(database(), now_s)


@cache
def escrows() -> EscrowDesk:
    from chalicelib.services.escrow.desk import EscrowDesk

    return EscrowDesk(database(), now_s)


@cache
def webhook_deliverer() -> Deliverer:
    from chalicelib.wiring.webhooks import new_deliverer

    return new_deliverer(database())


@cache
def webhook_dispatcher() -> Dispatcher:
    from chalicelib.wiring.webhooks import new_dispatcher

    return new_dispatcher(database())


def endpoint_desk_of(database: Database, clock_ms: Callable[[], int]) -> Callable[[], EndpointDesk]:
    """Return what makes a desk's webhook endpoints, once, when they are first asked for."""

    @cache
    def made() -> EndpointDesk:
        from chalicelib.wiring.webhooks import new_endpoint_desk

        return new_endpoint_desk(database, clock_ms)

    return made


def deliver_function() -> str:
    """Return the name of the function that makes webhook deliveries; empty if there is none."""
    return os.environ.get("TALLYBOOK_DELIVER_FUNCTION", "")


def beat_function() -> str:
    """Return the name of the function that begins WebSocket connections; empty if there is none."""
    return os.environ.get("TALLYBOOK_BEAT_FUNCTION", "")


def webhooks_allow_local() -> bool:
    """Return whether webhooks may go to http and loopback addresses."""
    return os.environ.get("TALLYBOOK_WEBHOOKS_ALLOW_LOCAL") == "1"


def aws_client(service: str, timeout_s: float, attempts_max: int, endpoint_url: str | None = None) -> Any:
    """Return a client of an AWS service beside DynamoDB."""
    config = Config(
        connect_timeout=timeout_s,
        read_timeout=timeout_s,
        max_pool_connections=CONNECTIONS_MAX,
        retries={"total_max_attempts": attempts_max, "mode": "standard"},
    )
    return _session().create_client(service, config=config, endpoint_url=endpoint_url)


@cache
def lambda_client() -> Any:
    return aws_client("lambda", timeout_s=5, attempts_max=2)


@cache
def journal_rows() -> Rows:
    from chalicelib.services.push.rows import JournalRows

    return JournalRows(database())


@cache
def outbox_rows() -> Rows:
    from chalicelib.services.push.rows import OutboxRows

    return OutboxRows()


@cache
def receivers() -> dict[str, Receiver]:
    """Return what is told of new events, by name."""
    found: dict[str, Receiver] = {"webhooks": webhook_dispatcher()}
    if connections_url():
        found["sockets"] = pushing().broadcaster
    return found


def connections_url() -> str:
    """Return where messages to WebSocket connections are sent; empty if there are none."""
    return os.environ.get("TALLYBOOK_CONNECTIONS_URL", "")


def websocket_url() -> str:
    """Return where clients connect by WebSocket; empty if there is nowhere."""
    return os.environ.get("TALLYBOOK_WEBSOCKET_URL", "")


def console_pair() -> str:
    """Return the pair that the console shows at first; empty: the first of all."""
    return os.environ.get("TALLYBOOK_CONSOLE_PAIR", "")


@cache
def pushing() -> Pushing:
    """Return what sends events to WebSocket connections, and what serves the clients' messages."""
    from chalicelib.services.push.rows import StoredEntries
    from chalicelib.wiring.push import new_pushing, sender_at

    sender, between = sender_at(connections_url()), StoredEntries(database()).between
    return new_pushing(database(), counters(), sender, between, now_ms, public_instance(), orders_max())


def _stream() -> None:
    import chalicelib.services.books.stream  # noqa: F401 - loads the matcher


def prepare(handler: str) -> None:
    """Build what the function with this handler needs for its first call, during Lambda's init phase.

    The init phase has a full core whatever the function's memory; the first call has only its share. An unknown handler
    builds nothing: the app is then imported for packaging or tests.
    """
    sockets = (pushing,) if connections_url() else ()
    builders: dict[str, tuple[Callable[[], object], ...]] = {
        "app.app": (database, counters),
        "app.match_inbox": (_stream, matcher),
        "app.expire_orders": (expiring,),
        "app.sweep_signed_orders": (signed_order_desk,),
        "app.release_escrows": (escrows,),
        "app.deliver_webhooks": (webhook_deliverer,),
        "app.push_journal": (journal_rows, receivers),
        "app.push_outbox": (outbox_rows, receivers),
        "app.websocket": sockets,
        "app.beat_connections": sockets,
    }
    for build in builders.get(handler, ()):
        build()
