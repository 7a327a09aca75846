"""Requests of the SDK's client, as the program writes them."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import encode
from chalicelib.tables.writes import Delete, Put, Update

ROW = {"owner": "ann", "entry": "x", "n": 10**38 - 1, "b": b"\x00\xff", "l": [None, True, {"m": b"\x01", "ü": "ü"}]}
KEY = {"owner": "ann", "entry": "x"}
WRITES = [
    Put("accounts", ROW, "attribute_not_exists(#owner)"),
    Update("accounts", KEY, "SET #n = :n", "#b = :b", {":n": 1, ":b": b"\x02"}),
    Delete("accounts", KEY),
]


class Sent(Exception):
    """The request is taken before it is sent."""


def bodies(client: Any) -> dict[str, tuple[str, Any, dict[str, str]]]:
    """Return what the client would send of each operation, by its name: method and path, body, headers."""
    found = {}

    def take(model: Any, params: Any, **_rest: Any) -> None:
        body, headers = json.loads(params["body"]), {name: params["headers"][name] for name in params["headers"]}
        headers.pop("User-Agent")
        body.pop("ClientRequestToken", None)
        found[model.name] = (params["method"] + params["url_path"], body, headers)
        raise Sent

    client.meta.events.register("before-call.dynamodb", take)
    database = Database(client, "any")
    for call in (
        *(lambda write=write: database.write(write) for write in WRITES),
        lambda: database.transact(WRITES),
        lambda: database.put_many("accounts", [ROW]),
        lambda: database.get("accounts", KEY),
        lambda: database.get_many("accounts", [KEY]),
        lambda: list(database.query("accounts", "#owner = :owner", {":owner": b"\x03"}, Limit=3)),
        lambda: list(database.scan("accounts")),
    ):
        with pytest.raises(Sent):
            call()
    return found


def test_requests_are_what_the_sdk_would_write(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = bodies(boto3.client("dynamodb"))
    monkeypatch.setattr("chalicelib.tables.dynamodb.write_directly", lambda _client: None)
    assert ours == bodies(boto3.client("dynamodb"))
    assert len(ours) == 9
    assert ours["PutItem"][1]["Item"]["b"] == {"B": "AP8="} != encode(ROW)["b"]


def test_the_user_agent_is_the_sdks_own_and_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    def take(request: Any, **_rest: Any) -> None:
        sent.append(request.headers["User-Agent"].decode())
        raise Sent

    client: Any = boto3.client("dynamodb")
    expected = client._user_agent_creator.to_string()
    database = Database(client, "any")
    client.meta.events.register("before-send.dynamodb", take)
    monkeypatch.setattr("botocore.useragent.UserAgentString.to_string", lambda _creator: "written again")
    for _ in range(2):
        with pytest.raises(Sent):
            database.get("accounts", KEY)
    Database(client, "other")
    assert sent[0].startswith(expected)
    assert sent == [sent[0]] * 2


def test_no_value_is_checked_by_the_sdk_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def validate(*_arguments: Any) -> None:
        raise AssertionError("validated")

    monkeypatch.setattr("botocore.validate.ParamValidator.validate", validate)
    assert bodies(boto3.client("dynamodb"))
