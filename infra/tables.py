"""Creates Tallybook's tables from ``tables.yaml``, the CloudFormation fragment that AWS deploys too.

CloudFormation properties are translated to CreateTable parameters. An unknown property is an error, so a local table
cannot silently differ from a deployed one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

TABLES_FILE = Path(__file__).with_name("tables.yaml")
INBOX, JOURNAL, OUTBOX = "inbox", "journal", "outbox"
"""The tables whose streams functions follow."""

_SAME_IN_CREATE_TABLE = {
    "BillingMode",
    "AttributeDefinitions",
    "KeySchema",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
}
_ONLY_ON_AWS = {"DeletionProtectionEnabled", "PointInTimeRecoverySpecification", "SSESpecification"}
_CREATE_POLL_S = 1
_CREATE_POLLS_MAX = 60


class EarlierTable(Exception):
    """A table of an earlier version: other keys, or no stream. The message is its name."""


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """One table: its CreateTable request, and its time-to-live attribute (None: rows never expire)."""

    name: str
    create_request: dict[str, Any]
    expiry_attribute: str | None


def table_definitions(prefix: str) -> list[TableDefinition]:
    """Return the tables of ``tables.yaml`` with this prefix. Raises ValueError for an unknown property."""
    return [_definition(properties, prefix) for properties in _tables_in(TABLES_FILE.read_text(encoding="utf-8"))]


def create_tables(client: DynamoDBClient, prefix: str) -> list[str]:
    """Create missing tables, wait until they are active, and enable time to live. Return the new names.

    Repeatable: it completes an earlier call that stopped half-way. Raises EarlierTable, before it creates any.
    """
    definitions = table_definitions(prefix)
    for definition in definitions:
        _refuse_earlier(client, definition)
    created = [one.name for one in definitions if _create(client, one)]
    for name in created:
        wait = {"Delay": _CREATE_POLL_S, "MaxAttempts": _CREATE_POLLS_MAX}
        client.get_waiter("table_exists").wait(TableName=name, WaiterConfig=wait)  # type: ignore[arg-type]
    for definition in definitions:
        if definition.expiry_attribute is not None:
            _switch_expiry_on(client, definition.name, definition.expiry_attribute)
    return created


def stream_arn(client: DynamoDBClient, prefix: str, table: str) -> str:
    """Return the ARN of a table's stream."""
    return client.describe_table(TableName=f"{prefix}-{table}")["Table"]["LatestStreamArn"]


@cache
def _tables_in(template: str) -> list[dict[str, Any]]:
    """Return the properties of each table in a template. Cached, because tests create many sets of tables."""
    resources = yaml.safe_load(template)["Resources"].values()
    return [one["Properties"] for one in resources if one["Type"] == "AWS::DynamoDB::Table"]


def _definition(properties: dict[str, Any], prefix: str) -> TableDefinition:
    name = properties["TableName"]["Fn::Sub"].replace("${TablePrefix}", prefix)
    request: dict[str, Any] = {"TableName": name}
    expiry_attribute = None
    for key, value in properties.items():
        if key in _SAME_IN_CREATE_TABLE:
            request[key] = value
        elif key == "StreamSpecification":
            request[key] = {"StreamEnabled": True, **value}
        elif key == "TimeToLiveSpecification":
            expiry_attribute = value["AttributeName"] if value["Enabled"] else None
        elif key != "TableName" and key not in _ONLY_ON_AWS:
            raise ValueError(f"{name}: infra/tables.py does not know the property {key}")
    return TableDefinition(name, request, expiry_attribute)


def _refuse_earlier(client: DynamoDBClient, definition: TableDefinition) -> None:
    try:
        table = client.describe_table(TableName=definition.name)["Table"]
    except client.exceptions.ResourceNotFoundException:
        return
    wanted = definition.create_request
    if table["KeySchema"] != wanted["KeySchema"] or (
        "StreamSpecification" in wanted and "LatestStreamArn" not in table
    ):
        raise EarlierTable(definition.name)


def _create(client: DynamoDBClient, definition: TableDefinition) -> bool:
    try:
        client.create_table(**definition.create_request)
    except client.exceptions.ResourceInUseException:
        return False
    return True


def _switch_expiry_on(client: DynamoDBClient, table: str, attribute: str) -> None:
    status = client.describe_time_to_live(TableName=table)["TimeToLiveDescription"].get("TimeToLiveStatus", "DISABLED")
    if status == "DISABLED":
        client.update_time_to_live(
            TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": attribute}
        )
