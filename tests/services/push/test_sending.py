"""Sending through API Gateway: who is gone, who is cut off, and what is worth another try."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from chalicelib.services.push.sending import GatewaySender, Gone

CLIENT, MESSAGE = {"ConnectionId": "c="}, b"{}"
POST, DELETE = "post_to_connection", "delete_connection"


@pytest.fixture
def gateway() -> Any:
    """A client of the gateway that makes one attempt, and its stub."""
    client: Any = boto3.client(
        "apigatewaymanagementapi",
        endpoint_url="https://abc.execute-api.us-east-1.amazonaws.com/ws",
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with Stubber(client) as stub:
        yield client, stub
        stub.assert_no_pending_responses()


def test_a_message_is_sent(gateway: Any) -> None:
    client, stub = gateway
    stub.add_response(POST, {}, CLIENT | {"Data": MESSAGE})
    GatewaySender(client).send("c=", MESSAGE)


def test_who_is_gone_is_told_of_and_may_be_closed_again(gateway: Any) -> None:
    client, stub = gateway
    stub.add_client_error(POST, "GoneException", http_status_code=410)
    stub.add_client_error(DELETE, "GoneException", http_status_code=410)
    with pytest.raises(Gone):
        GatewaySender(client).send("c=", MESSAGE)
    GatewaySender(client).close("c=")


def test_a_connection_is_asked_for(gateway: Any) -> None:
    client, stub = gateway
    stub.add_response("get_connection", {}, CLIENT)
    stub.add_client_error("get_connection", "GoneException", http_status_code=410)
    assert [GatewaySender(client).is_open("c=") for _ in range(2)] == [True, False]


@pytest.mark.parametrize(("code", "status"), [("LimitExceededException", 429), ("PayloadTooLargeException", 413)])
@pytest.mark.parametrize("is_still_there", [True, False])
def test_who_cannot_be_sent_to_is_cut_off(gateway: Any, code: str, status: int, is_still_there: bool) -> None:
    client, stub = gateway
    stub.add_client_error(POST, code, http_status_code=status)
    if is_still_there:
        stub.add_response(DELETE, {}, CLIENT)
    else:
        stub.add_client_error(DELETE, "GoneException", http_status_code=410)
    with pytest.raises(Gone):
        GatewaySender(client).send("c=", MESSAGE)


def test_what_says_nothing_of_the_client_is_raised(gateway: Any) -> None:
    client, stub = gateway
    stub.add_client_error(POST, "ForbiddenException", http_status_code=403)
    with pytest.raises(ClientError, match="Forbidden"):
        GatewaySender(client).send("c=", MESSAGE)
