"""Builds the program from its environment, once a process: the only place that reads environment variables, with
``support.telemetry``, which must know its own before anything else runs.

``TALLYBOOK_TABLE_PREFIX`` (default ``tallybook``) names the tables; the standard AWS variables name the engine.
The master key of the desks' secrets is ``TALLYBOOK_MASTER_KEY``, or the SSM parameter (SecureString) that
``TALLYBOOK_MASTER_KEY_PARAMETER`` names; the one before it, while it is rotated, ``TALLYBOOK_MASTER_KEY_PREVIOUS``, or
the version of that parameter with the label ``previous``. ``TALLYBOOK_PUBLIC_INSTANCE`` is the instance that public
routes show, and at which makers connect who name no other; ``TALLYBOOK_PUBLIC_REQUESTS_PER_MINUTE`` is how often a
client address may come to public routes.
``AWS_LAMBDA_FUNCTION_MEMORY_SIZE``, which Lambda sets, says how many orders of books are kept in memory (T55).

Every function imports this module and needs one or two of what it builds, so each is imported where it is built.
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
    from chalicelib.services.books.metrics import MatchWatch
    from chalicelib.services.escrow.desk import EscrowDesk
    from chalicelib.services.signed.desk import SignedOrderDesk

CONNECTIONS_MAX = 32
WRITES_AT_ONCE = 8
"""Of rows that have nothing to do with each other: what an entry of the journal means for accounts, and for orders."""
COUNT_TIMEOUT_S = 0.5
PER_MINUTE_DIGITS_MAX = 9
PARAMETER_TIMEOUT_S, PARAMETER_ATTEMPTS_MAX = 5, 3
PREVIOUS_TIMEOUT_S = 1
"""Whoever sends a wrong signature has it asked for: it must not keep a function busy."""
PREVIOUS = "previous"
"""Label of the version of the SSM parameter whose secrets are accepted beside the newest one's."""
NO_SUCH_VERSION = {"ParameterNotFound", "ParameterVersionNotFound"}


class NoMasterKey(Exception):
    """There is no master key, or it is too short; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where the tables are looked for; ``..._by``: the variable that says so, None where none does.

    client: what asks them.
    """

    prefix: str
    prefix_by: str | None
    region: str
    region_by: str | None
    endpoint: str
    endpoint_by: str | None
    client: Any


def whereabouts() -> Whereabouts:
    """Return where this process looks for its tables, to tell a user; not to be asked before something has failed."""
    config = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1})
    client: Any = _session().create_client("dynamodb", config=config)
    endpoint = str(client.meta.endpoint_url)
    named = ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL")
    return Whereabouts(
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
    """Return the tables. Calls are tried four times, then given up, within a function's time limit."""
    return _database(connect_timeout_s=2, read_timeout_s=5, attempts_max=4)


@cache
def counters() -> Database:
    """Return the tables for counting requests, which no answer waits for: one attempt, half a second (T6)."""
    return _database(connect_timeout_s=COUNT_TIMEOUT_S, read_timeout_s=COUNT_TIMEOUT_S, attempts_max=1)


def ask_tables() -> None:
    """Read a row that is not there (instances begin with ``inst_``); raise where the tables do not answer."""
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
    """Return what clients are made of; what it has read of AWS's data serves all of them."""
    return Session()


def master_key() -> bytes:
    """Return the master key. Raises NoMasterKey, or what SSM does; the next call tries again then."""
    return master_keys().newest()


def previous_master_key() -> bytes | None:
    """Return the master key before, whose secrets are still accepted; None where there is none."""
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
    """Return the key before; None where there is none. Raises what SSM does, logged."""
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
    retries: Any = {"total_max_attempts": attempts_max, "mode": "standard"}
    config = Config(connect_timeout=timeout_s, read_timeout=timeout_s, retries=retries)
    client: Any = _session().create_client("ssm", config=config)
    value: str = client.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    return value


def public_limit() -> RateLimit:
    """Return how often a client address may come to public routes (R46).

    ``TALLYBOOK_PUBLIC_REQUESTS_PER_MINUTE`` changes the rate, for a bucket of a sixth of it; 0: they are not counted.
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
    """Return the instance that public routes show (R3), and where makers connect (K6); None: there is none."""
    return os.environ.get("TALLYBOOK_PUBLIC_INSTANCE") or None


def orders_max() -> int:
    """Return how many open orders this process keeps in memory, by the memory that Lambda gives it (T55)."""
    from chalicelib.services.books.book_cache import UNBOUNDED_MEMORY_MB, cached_orders_max

    return cached_orders_max(int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", UNBOUNDED_MEMORY_MB)))


@cache
def match_watch() -> MatchWatch:
    from chalicelib.services.books.metrics import MatchWatch

    return MatchWatch()


@cache
def matcher() -> Matcher:
    from chalicelib.services.books.matcher import Matcher

    return Matcher(database(), now_ms, match_watch(), orders_max=orders_max())


@cache
def releasing_matcher() -> Matcher:
    """Return a matcher that takes parked books: for the operator who releases them (T53)."""
    from chalicelib.services.books.matcher import Matcher

    return Matcher(database(), now_ms, match_watch(), takes_parked=True)


@cache
def expiring() -> Expiring:
    """Return what looks at orders that expire, with a matcher of its own: it may run beside ``matcher``."""
    from chalicelib.services.books.expiry import Expiring
    from chalicelib.services.books.matcher import Matcher

    return Expiring(database(), Matcher(database(), now_ms, match_watch(), orders_max=orders_max()), now_ms)


@cache
def signed_order_desk() -> SignedOrderDesk:
    """Return the taker desk's commands, for the sweep and the operator."""
    from chalicelib.services.signed.desk import SignedOrderDesk

    return SignedOrderDesk(database(), now_s)


@cache
def escrows() -> EscrowDesk:
    from chalicelib.services.escrow.desk import EscrowDesk

    return EscrowDesk(database(), now_s)


def _stream() -> None:
    import chalicelib.services.books.stream  # noqa: F401 - the handler's way to the matcher


def prepare(handler: str) -> None:
    """Build what the function with this handler needs for its first call, while Lambda starts it.

    A start has a whole core whatever the function's memory; the first call has its share. An unknown handler needs
    nothing: whoever imports the app to package or to test it.
    """
    builders: dict[str, tuple[Callable[[], object], ...]] = {
        "app.app": (database, counters),
        "app.match_inbox": (_stream, matcher),
        "app.expire_orders": (expiring,),
        "app.sweep_signed_orders": (signed_order_desk,),
        "app.release_escrows": (escrows,),
    }
    for build in builders.get(handler, ()):
        build()
