"""Each function may do exactly what it does, only on its own stage's tables."""

from __future__ import annotations

import boto3
import pytest

from chalicelib.tables.dynamodb import Database
from infra.tables import table_definitions
from tests.infra.work_of_books import at_the_books, at_the_trade_desk, expire, fire, halt, park
from tests.infra.work_of_desks import at_the_escrow_desk, at_the_taker_desk
from tests.infra.work_of_pushes import at_the_sockets, deliver_webhooks, push
from tests.recording import (
    CONFIG,
    FUNCTION_ARN,
    FUNCTIONS,
    PARAMETER_ARN,
    PREFIX,
    STREAMS,
    TABLE_ARN,
    Grant,
    grants,
    needed,
    nobody,
    policy,
    recording,
    work_of,
)
from tests.world import World

STAGES = ["dev", "prod"]
STREAM_ACTIONS = {
    f"dynamodb:{action}" for action in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
}
LOG_ACTIONS = {"logs:CreateLogStream", "logs:PutLogEvents"}


def prefix_of(stage: str) -> str:
    return str(CONFIG["stages"][stage]["environment_variables"]["TALLYBOOK_TABLE_PREFIX"])


def master_key_of(stage: str) -> str:
    return str(CONFIG["stages"][stage]["environment_variables"]["TALLYBOOK_MASTER_KEY_PARAMETER"])


def called_of(stage: str) -> list[str]:
    """Return the functions that others call: the one that makes webhook deliveries, and the beat."""
    environment = CONFIG["stages"][stage]["environment_variables"]
    return [FUNCTION_ARN + environment[f"TALLYBOOK_{name}_FUNCTION"] for name in ("DELIVER", "BEAT")]


def logs_of(stage: str, function: str) -> str:
    """Return the function's log group, as the template names it."""
    own = f"tallybook-{stage}" if function == "api_handler" else f"tallybook-{stage}-{function}"
    return f"arn:aws:logs:*:*:log-group:/aws/lambda/{own}:*"


def used_by_lambda(function: str) -> set[Grant]:
    """Return what Lambda does in the function's name, beside its code: it writes its log and reads its stream."""
    of_stream = {(action, STREAMS[function]) for action in STREAM_ACTIONS} if function in STREAMS else set()
    return of_stream | {(action, logs_of("prod", function)) for action in LOG_ACTIONS}


@pytest.mark.usefixtures("moto_client")
def test_no_policy_grants_what_its_function_does_not_do(
    memory_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every kind of request, of projection and of sweep once, over the functions' own ways in.

    What a policy lacks for it, and for the calls of every other test, is found after each test (tests/conftest.py).
    """
    monkeypatch.setattr("chalicelib.domain.books.snapshot.SNAPSHOT_AFTER_BYTES_MIN", 100)
    monkeypatch.setenv("TALLYBOOK_MASTER_KEY_PARAMETER", master_key_of("prod"))
    monkeypatch.delenv("TALLYBOOK_MASTER_KEY", raising=False)
    boto3.client("ssm").put_parameter(Name=master_key_of("prod"), Value="k" * 32, Type="SecureString")
    world = World(memory_database)
    at_the_books(world)
    at_the_trade_desk(world, monkeypatch)
    expire(world, monkeypatch)
    halt(world)
    park(world)
    fire(world, monkeypatch)
    at_the_taker_desk(memory_database._client)
    at_the_escrow_desk(memory_database._client)
    deliver_webhooks(memory_database)
    push(world)
    monkeypatch.setattr("chalicelib.wiring.push.NOTIONALS_MAX", 0)  # what is not remembered is read
    at_the_sockets(memory_database._client)
    unused = {
        function: grants("prod", function) - recording.done[function] - used_by_lambda(function)
        for function in FUNCTIONS
    }
    assert unused == {function: set() for function in FUNCTIONS}


def test_what_a_call_needs_is_found_part_by_part() -> None:
    table, row = {"TableName": "any-orders"}, {"Key": {}}
    orders = f"{TABLE_ARN}{PREFIX}-orders"
    transaction = {"TransactItems": [{"Put": table}, {"ConditionCheck": {"TableName": "any-signed-orders"} | row}]}
    assert needed("dynamodb", "TransactWriteItems", transaction) == {
        ("dynamodb:PutItem", orders),
        ("dynamodb:ConditionCheckItem", f"{TABLE_ARN}{PREFIX}-signed-orders"),
    }
    texts = ['UPDATE "any-orders" SET "a" = ?', 'INSERT INTO "any-books" VALUE', 'DELETE FROM "any-orders" WHERE']
    assert needed("dynamodb", "BatchExecuteStatement", {"Statements": [{"Statement": text} for text in texts]}) == {
        ("dynamodb:PartiQLUpdate", orders),
        ("dynamodb:PartiQLInsert", f"{TABLE_ARN}{PREFIX}-books"),
        ("dynamodb:PartiQLDelete", orders),
    }
    assert needed("dynamodb", "Query", table | {"IndexName": "by_owner"}) == {
        ("dynamodb:Query", f"{orders}/index/by_owner")
    }
    assert needed("dynamodb", "BatchGetItem", {"RequestItems": {"any-orders": row}}) == {
        ("dynamodb:BatchGetItem", orders)
    }
    with pytest.raises(ValueError, match="sqs:SendMessage"):
        needed("sqs", "SendMessage", {})


@pytest.mark.parametrize("engine", ["moto_database", "embedded_database", "memory_database"])
def test_a_call_that_a_policy_lacks_is_noticed_on_every_engine(engine: str, request: pytest.FixtureRequest) -> None:
    database: Database = request.getfixturevalue(engine)
    with work_of("match_inbox"):
        list(database.scan("tenants"))
        nobody(lambda: list(database.scan("orders")))()
    denied = recording.denied()
    recording.clear()
    assert denied == [f"match_inbox may not dynamodb:Scan on {TABLE_ARN}{PREFIX}-tenants"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_reads_its_own_stream_alone(function: str) -> None:
    read = {(action, arn) for action, arn in grants("prod", function) if "stream" in arn}
    assert read == {(action, STREAMS[function]) for action in STREAM_ACTIONS if function in STREAMS}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_writes_to_its_own_log_and_makes_none(stage: str, function: str) -> None:
    """The template makes the log groups; one that a function made would have no end and stand in its way."""
    of_logs = {(action, arn) for action, arn in grants(stage, function) if action.startswith("logs:")}
    assert of_logs == {(action, logs_of(stage, function)) for action in LOG_ACTIONS}


@pytest.mark.parametrize("stage", STAGES)
def test_who_checks_signatures_or_signs_alone_reads_the_master_key_of_its_own_stage(stage: str) -> None:
    """R9: what it does to have it, tests/test_wiring.py shows: it gets one parameter."""
    by_function = {function: {one for one in grants(stage, function) if "ssm" in one[1]} for function in FUNCTIONS}
    read = ("ssm:GetParameter", f"{PARAMETER_ARN}{master_key_of(stage)}")
    assert by_function == {
        "api_handler": {read},
        "match_inbox": set(),
        "expire_orders": set(),
        "sweep_signed_orders": set(),
        "release_escrows": set(),
        "deliver_webhooks": {read},
        "push_journal": set(),
        "push_outbox": set(),
        "websocket": {read},
        "beat_connections": set(),
    }
    assert master_key_of(stage).startswith(f"{prefix_of(stage)}-")


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_grant_names_its_action_and_a_table_of_its_own_stage(stage: str, function: str) -> None:
    tables = {f"{TABLE_ARN}{table.name}" for table in table_definitions(prefix_of(stage))}
    for action, arn in grants(stage, function):
        assert "*" not in action
        is_of_table = arn.split("/index/")[0].split("/stream/")[0] in tables
        others = logs_of(stage, function), f"{PARAMETER_ARN}{master_key_of(stage)}", *called_of(stage)
        assert is_of_table or arn in others


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_stages_differ_by_their_names_only(function: str) -> None:
    dev = policy("dev", function).replace(logs_of("dev", function), logs_of("prod", function))
    for in_dev, in_prod in zip(called_of("dev"), called_of("prod"), strict=True):
        dev = dev.replace(in_dev, in_prod)
    assert dev.replace("tallybook-dev-", "tallybook-") == policy("prod", function)


def test_no_policy_is_made_by_chalice_and_each_function_has_its_size_and_time() -> None:
    assert CONFIG["autogen_policy"] is False
    assert set(CONFIG["lambda_functions"]) == set(FUNCTIONS)
    for function in CONFIG["lambda_functions"].values():
        assert set(function) == {"lambda_memory_size", "lambda_timeout"}


def test_a_request_ends_before_api_gateway_gives_up() -> None:
    assert CONFIG["lambda_functions"]["api_handler"]["lambda_timeout"] <= 29
