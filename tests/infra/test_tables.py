"""Local runs and tests create the tables of the CloudFormation fragment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra import tables

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

KEYS = {
    "tenants": ["instance", "credential"],
    "tokens": ["instance", "entry"],
    "books": ["book", "part"],
    "inbox": ["book", "command"],
    "journal": ["book", "sequence"],
    "open-orders": ["owner", "order_id"],
    "orders": ["owner", "order_id"],
    "fills": ["owner", "fill"],
    "accounts": ["owner", "entry"],
    "signed-orders": ["owner", "entry"],
    "escrows": ["owner", "entry"],
    "webhooks": ["owner", "entry"],
    "outbox": ["owner", "number"],
    "connections": ["topic", "connection"],
    "requests": ["scope", "request"],
    "expiries": ["minute", "look"],
    "candles": ["series", "start_ms"],
}


@pytest.fixture
def described(moto_client: DynamoDBClient) -> dict[str, Any]:
    tables.create_tables(moto_client, "here")
    return {job: moto_client.describe_table(TableName=f"here-{job}")["Table"] for job in KEYS}


def test_each_job_has_its_table_with_its_keys(described: dict[str, Any]) -> None:
    keys = {job: [key["AttributeName"] for key in table["KeySchema"]] for job, table in described.items()}
    assert keys == KEYS
    assert {table["TableStatus"] for table in described.values()} == {"ACTIVE"}


def test_inbox_journal_and_outbox_have_streams_that_show_new_images(described: dict[str, Any]) -> None:
    streams = {job: table["StreamSpecification"] for job, table in described.items() if "LatestStreamArn" in table}
    new_images = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    assert streams == dict.fromkeys(("inbox", "journal", "outbox"), new_images)


@pytest.mark.parametrize("lacks", ["the key", "the stream"])
def test_a_table_of_an_earlier_version_is_refused_before_any_is_created(
    moto_client: DynamoDBClient, lacks: str
) -> None:
    prefix = lacks.replace(" ", "-")
    (outbox,) = (one for one in tables.table_definitions(prefix) if one.name == f"{prefix}-outbox")
    request = dict(outbox.create_request)
    if lacks == "the key":
        keys = [("owner", "HASH"), ("entry", "RANGE")]
        request["KeySchema"] = [{"AttributeName": name, "KeyType": kind} for name, kind in keys]
        request["AttributeDefinitions"] = [{"AttributeName": name, "AttributeType": "S"} for name, _ in keys]
    else:
        del request["StreamSpecification"]
    moto_client.create_table(**request)
    with pytest.raises(tables.EarlierTable, match=rf"^{prefix}-outbox$"):
        tables.create_tables(moto_client, prefix)
    names = moto_client.list_tables()["TableNames"]
    assert [name for name in names if name.startswith(prefix)] == [f"{prefix}-outbox"]


def test_a_tables_stream_is_found(moto_client: DynamoDBClient, described: dict[str, Any]) -> None:
    assert tables.stream_arn(moto_client, "here", "inbox") == described["inbox"]["LatestStreamArn"]


def test_releases_that_wait_have_an_index_of_keys(described: dict[str, Any]) -> None:
    (index,) = described["escrows"]["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "releases_due"
    assert [key["AttributeName"] for key in index["KeySchema"]] == ["release_shard", "release_at_s"]
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}


def test_live_signed_orders_have_indexes_of_keys(described: dict[str, Any]) -> None:
    indexes = described["signed-orders"]["GlobalSecondaryIndexes"]
    keys = {index["IndexName"]: [key["AttributeName"] for key in index["KeySchema"]] for index in indexes}
    assert keys == {
        "open_orders_by_instance": ["open_instance", "open_since"],
        "lapsing_orders": ["lapse_shard", "lapses_at_s"],
    }
    assert all(index["Projection"] == {"ProjectionType": "KEYS_ONLY"} for index in indexes)


def test_what_waits_of_webhooks_has_an_index_of_keys(described: dict[str, Any]) -> None:
    (index,) = described["webhooks"]["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "by_queue"
    assert [key["AttributeName"] for key in index["KeySchema"]] == ["queue", "at_ms"]
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}


def test_rows_of_these_tables_expire_and_of_no_others(moto_client: DynamoDBClient, described: dict[str, Any]) -> None:
    expiring = {}
    for job in described:
        expiry = moto_client.describe_time_to_live(TableName=f"here-{job}")["TimeToLiveDescription"]
        if expiry["TimeToLiveStatus"] == "ENABLED":
            expiring[job] = expiry["AttributeName"]
    assert expiring == dict.fromkeys(("inbox", "requests", "expiries", "candles", "webhooks", "connections"), "expires")


def test_creating_again_completes_what_is_missing_and_changes_nothing_else(moto_client: DynamoDBClient) -> None:
    assert len(tables.create_tables(moto_client, "again")) == len(KEYS)
    moto_client.put_item(TableName="again-fills", Item={"owner": {"S": "ann"}, "fill": {"S": "1"}})
    moto_client.delete_table(TableName="again-books")
    assert tables.create_tables(moto_client, "again") == ["again-books"]
    assert moto_client.scan(TableName="again-fills")["Count"] == 1


def test_a_property_that_is_not_translated_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    template = tables.TABLES_FILE.read_text(encoding="utf-8").replace("BillingMode: PAY", "TableClass: PAY")
    changed = tmp_path / "tables.yaml"
    changed.write_text(template, encoding="utf-8")
    monkeypatch.setattr(tables, "TABLES_FILE", changed)
    with pytest.raises(ValueError, match="does not know the property TableClass"):
        tables.table_definitions("here")
