"""The suite's AWS calls, function by function, held against the functions' policies.

Every test runs under this. While a function's work is done (``ENTRANCES``: where a request, a batch or a schedule comes
in), each call of an AWS client is noted as what IAM would have to allow: actions on resources, as the policies of the
stage prod name them. botocore tells of its calls by an event, the tables in memory by their own. A test during which a
function did what its policy does not allow fails, whatever it is about (tests/conftest.py).

What a test does beside a function, as an operator, as another function, or as the fault that it injects, is not the
function's: ``nobody``.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, wraps
from typing import Any

from botocore.handlers import BUILTIN_HANDLERS

from chalicelib.apis.book.api import BookApi
from chalicelib.apis.escrow.api import EscrowApi
from chalicelib.apis.sockets import Sockets
from chalicelib.apis.taker.api import TakerApi
from chalicelib.apis.taker.socket import SignedOrderSocket
from chalicelib.apis.trade.api import TradeApi
from chalicelib.apis.trade.socket import TradeSocket
from chalicelib.services.books.expiry import Expiring
from chalicelib.services.books.lost_commands import LostCommands
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.parking import Parking
from chalicelib.services.escrow.desk import EscrowDesk
from chalicelib.services.push.beating import Beat
from chalicelib.services.signed.desk import SignedOrderDesk
from chalicelib.services.webhooks.delivering import Deliverer
from infra.settings import ROOT
from infra.tables import table_definitions
from tests.memory import errors as memory

CONFIG = json.loads((ROOT / ".chalice" / "config.json").read_text(encoding="utf-8"))
FUNCTIONS = (
    "api_handler",
    "match_inbox",
    "expire_orders",
    "sweep_signed_orders",
    "release_escrows",
    "deliver_webhooks",
    "push_journal",
    "push_outbox",
    "websocket",
    "beat_connections",
)
TABLE_ARN = "arn:aws:dynamodb:*:*:table/"
FUNCTION_ARN = "arn:aws:lambda:*:*:function:"
PARAMETER_ARN = "arn:aws:ssm:*:*:parameter/"
PREFIX = str(CONFIG["stages"]["prod"]["environment_variables"]["TALLYBOOK_TABLE_PREFIX"])
DELIVERER = CONFIG["stages"]["prod"]["environment_variables"]["TALLYBOOK_DELIVER_FUNCTION"]
BEATER = CONFIG["stages"]["prod"]["environment_variables"]["TALLYBOOK_BEAT_FUNCTION"]
STREAMS = {
    function: f"{TABLE_ARN}{PREFIX}-{table}/stream/*"
    for function, table in (("match_inbox", "inbox"), ("push_journal", "journal"), ("push_outbox", "outbox"))
}
"""The stream of each function that follows one."""
JOBS = sorted((one.name.removeprefix("any-") for one in table_definitions("any")), key=len, reverse=True)
"""What tables are for, as the ends of their names say it; the longest first, for one may end another."""
ENTRANCES: list[tuple[type, str, str]] = [
    (BookApi, "answer", "api_handler"),
    (TradeApi, "answer", "api_handler"),
    (TakerApi, "answer", "api_handler"),
    (EscrowApi, "answer", "api_handler"),
    (Matcher, "process", "match_inbox"),
    (Matcher, "write_snapshots", "match_inbox"),
    (Parking, "count", "match_inbox"),
    (Parking, "set_aside", "match_inbox"),
    (Expiring, "check", "expire_orders"),
    (Expiring, "report_parked", "expire_orders"),
    (LostCommands, "sweep_a_page", "expire_orders"),
    (SignedOrderDesk, "sweep", "sweep_signed_orders"),
    (EscrowDesk, "sweep", "release_escrows"),
    (Deliverer, "sweep", "deliver_webhooks"),
    (Deliverer, "run", "deliver_webhooks"),
    (TradeSocket, "connect", "websocket"),
    (TradeSocket, "message", "websocket"),
    (SignedOrderSocket, "connect", "websocket"),
    (Sockets, "answer", "websocket"),
    (Beat, "round", "beat_connections"),
    (Beat, "begin", "beat_connections"),
]
WITH_A_MATCHER_OF_ITS_OWN = "expire_orders"
STATEMENT = re.compile(r'(UPDATE|INSERT|DELETE) (?:INTO |FROM )?"([^"]+)"')

Grant = tuple[str, str]
"""An action and a resource."""

_running: ContextVar[str | None] = ContextVar("the function whose work is being done", default=None)


class Recording:
    """What functions have done since it was last cleared, and what of it they may not do."""

    def __init__(self) -> None:
        self.done: dict[str, set[Grant]] = defaultdict(set)

    def clear(self) -> None:
        self.done.clear()

    def denied(self) -> list[str]:
        """Return what functions did that their policies do not allow, one line each."""
        return sorted(
            f"{function} may not {action} on {resource}"
            for function, done in list(self.done.items())
            for action, resource in done - allowed(function)
        )

    def note(self, service: str, operation: str, request: dict[str, Any]) -> None:
        function = _running.get()
        if function is not None:
            self.done[function].update(needed(service, operation, request))


recording = Recording()


@contextmanager
def work_of(function: str | None) -> Iterator[None]:
    token = _running.set(function)
    try:
        yield
    finally:
        _running.reset(token)


def nobody(work: Callable[..., Any]) -> Callable[..., Any]:
    """Return the work as no function's."""

    def done(*arguments: Any, **more: Any) -> Any:
        with work_of(None):
            return work(*arguments, **more)

    return done


def of_whom(work: Callable[..., Any]) -> Callable[..., Any]:
    """Return the work as that of the function which is at work now, whoever calls it."""
    function = _running.get()

    def done(*arguments: Any, **more: Any) -> Any:
        with work_of(function):
            return work(*arguments, **more)

    return done


def needed(service: str, operation: str, request: dict[str, Any]) -> set[Grant]:
    """Return what IAM must allow for a call. Raises ValueError for one that this does not know."""
    if service == "ssm":
        name = request["Name"].partition(":")[0]  # a version or a label is no part of the resource
        return {(f"ssm:{operation}", f"{PARAMETER_ARN}{name}")}
    if service == "apigatewaymanagementapi":  # the template grants it, for its own API alone
        return set()
    if (service, operation) == ("lambda", "Invoke"):
        return {("lambda:InvokeFunction", f"{FUNCTION_ARN}{request['FunctionName']}")}
    if operation.startswith("Transact"):  # an action for each part, none for the whole
        parts = [part for item in request["TransactItems"] for part in item.items()]
        return {(f"dynamodb:{kind}Item", arn_of(one)) for kind, one in parts}
    if operation == "BatchExecuteStatement":  # an action for each statement, none for the whole
        return {statement_grant(one["Statement"]) for one in request["Statements"]}
    if "RequestItems" in request:
        return {(f"dynamodb:{operation}", arn_of({"TableName": name})) for name in request["RequestItems"]}
    if service == "dynamodb":
        return {(f"dynamodb:{operation}", arn_of(request))}
    raise ValueError(f"what does {service}:{operation} need?")


def statement_grant(text: str) -> Grant:
    """Return what IAM must allow for a PartiQL statement: an action of its own for each kind of write."""
    match = STATEMENT.match(text)
    assert match is not None, text
    return f"dynamodb:PartiQL{match[1].capitalize()}", arn_of({"TableName": match[2]})


def arn_of(request: dict[str, Any]) -> str:
    """Return the table, or its index, that a request names, as the stage prod names it."""
    job = next(job for job in JOBS if request["TableName"].endswith(f"-{job}"))
    table = f"{TABLE_ARN}{PREFIX}-{job}"
    return f"{table}/index/{request['IndexName']}" if "IndexName" in request else table


def policy(stage: str, function: str) -> str:
    file = CONFIG["stages"][stage]["lambda_functions"][function]["iam_policy_file"]
    return (ROOT / ".chalice" / file).read_text(encoding="utf-8")


def grants(stage: str, function: str) -> set[Grant]:
    """Return what a policy allows. Fails for one that is written in another way than these are."""
    found: set[Grant] = set()
    for statement in json.loads(policy(stage, function))["Statement"]:
        assert statement.keys() == {"Sid", "Effect", "Action", "Resource"}
        assert statement["Effect"] == "Allow"
        assert isinstance(statement["Resource"], str)
        added = {(action, statement["Resource"]) for action in statement["Action"]}
        assert not added & found, "granted twice"
        found |= added
    return found


@cache
def allowed(function: str) -> set[Grant]:
    return grants("prod", function)


def install() -> None:
    """Have every client and entrance tell of what it does from here on; call it once, before there is a client."""
    BUILTIN_HANDLERS.append(("provide-client-params", _note_of_botocore))
    memory.OBSERVERS.append(lambda operation, request: recording.note("dynamodb", operation, request))
    for owner, method, function in ENTRANCES:
        setattr(owner, method, _entrance(getattr(owner, method), function))


def _note_of_botocore(params: dict[str, Any], model: Any, **_rest: Any) -> None:
    recording.note(model.service_model.service_name, model.name, params)


def _entrance(method: Callable[..., Any], function: str) -> Callable[..., Any]:
    @wraps(method)
    def entered(*arguments: Any, **more: Any) -> Any:
        is_its_own = function == "match_inbox" and _running.get() == WITH_A_MATCHER_OF_ITS_OWN
        with work_of(WITH_A_MATCHER_OF_ITS_OWN if is_its_own else function):
            return method(*arguments, **more)

    return entered
