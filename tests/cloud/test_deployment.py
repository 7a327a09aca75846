"""A deployment from creation to deletion: every desk answers through API Gateway, and the stream triggers the matcher.

The tests are one story in order: deploy by script, use, redeploy, break, destroy keeping the tables, deploy over them,
destroy for good.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from chalicelib import wiring
from chalicelib.apis.trade.signature import signature_of
from chalicelib.domain.signed.settings import DeskSettings
from chalicelib.ops import cli
from chalicelib.services.books.parking import FAILED_BATCHES_MAX
from chalicelib.services.push.sending import Gone
from chalicelib.tables.connections import TABLE as CONNECTIONS
from chalicelib.tables.inbox import Inbox
from chalicelib.tables.journal import TABLE as JOURNAL
from chalicelib.tables.origins import Origins
from chalicelib.wiring.push import sender_at
from infra import demo, escrow_demo, taker_demo
from infra.packaging import Package, read_stage
from infra.stacks import DeploymentFailed
from infra.tables import table_definitions
from tests.apis.taker.desk import sign_message, sign_order
from tests.cloud.conftest import STAGE, Api, Cloud

pytestmark = pytest.mark.stack

MATCH_S_MAX, POLL_S = 60, 0.2
DESK = demo.DESK_PATH
UNIT = 10**18
LOST_BOOK, FAILING_BOOK = "ob_lost", "ob_failing"
FORM = "multipart/form-data; boundary=b"


@pytest.fixture(scope="module")
def api(cloud: Cloud) -> Api:
    done = cloud.script("deploy", "--stage", STAGE, "--yes", "--parameter", f"PublicInstance={demo.INSTANCE}")
    assert done.returncode == 0, done.stdout + done.stderr
    smoke_test = r"Smoke test: placed ord_\w+ and ord_\w+ in inst_smk\w+, matched, listed, pushed, put away"
    assert re.search(smoke_test, done.stdout), done.stdout
    (url,) = re.findall(r"^The API: (http://127\.0\.0\.1:\S+)$", done.stdout, re.MULTILINE)
    demo.seed()
    taker_demo.seed()
    escrow_demo.seed(url)
    return Api(url)


@pytest.fixture(scope="module")
def book_key(api: Api) -> dict[str, str]:  # noqa: ARG001 - deployed by then
    made = cli.run(["key", "create", "--instance", demo.INSTANCE, "--rate-limit", "0"])
    return {"x-api-key": str(made["api_key"])}


def order(side: str, customer: str, book: str = demo.BOOK, price: int = 100 * UNIT) -> dict[str, Any]:
    terms = {"orderBookId": book, "customerRef": customer, "side": side, "orderType": "LIMIT"}
    return terms | {"price": str(price), "quantity": str(5 * UNIT), "timeInForce": "GTC"}


def status_of(api: Api, key: dict[str, str], placed: dict[str, Any]) -> str:
    """Return an order's status in the listing."""
    listed = api.done("GET", f"{DESK}/customers/{placed['customerRef']}/orders?limit=100", headers=key)
    (row,) = [row for row in listed if row["id"] == placed["id"]]
    return str(row["status"])


def until(seen: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + MATCH_S_MAX
    while not seen():
        assert time.monotonic() < deadline_s, what
        time.sleep(POLL_S)


def test_orders_of_the_book_desk_are_matched_by_the_stream_and_listed(api: Api, book_key: dict[str, str]) -> None:
    buyer, seller = demo.CUSTOMERS[:2]
    bought = api.done("POST", f"{DESK}/orders", order("BUY", buyer), book_key)
    assert (bought["status"], bought["filledQuantity"]) == ("OPEN", "0")
    sold = api.done("POST", f"{DESK}/orders", order("SELL", seller), book_key)
    for placed in (bought, sold):
        until(lambda placed=placed: status_of(api, book_key, placed) == "FILLED", "the orders are not matched")
    opened = api.done("GET", f"{DESK}/customers/{buyer}/orders?status=OPEN&limit=20", headers=book_key)
    assert bought["id"] not in [row["id"] for row in opened]


def test_a_webhook_is_attempted_by_a_function_of_its_own(api: Api, book_key: dict[str, str]) -> None:
    """The name of its URL has no address, so the attempt fails without a network."""
    hooks = f"{DESK}/webhooks"
    made = api.done("POST", hooks, {"url": "https://hooks.invalid/", "types": ["*"]}, book_key)
    status, tested = api.ask("POST", f"{hooks}/{made['id']}/test", headers=book_key)
    assert status == 202, tested
    path = f"{hooks}/{made['id']}/deliveries/{tested['data']['deliveryId']}"
    until(lambda: api.done("GET", path, headers=book_key)["attempts"] > 0, "the webhook is not attempted")
    until(lambda: api.done("GET", path, headers=book_key)["lastAnswer"] is not None, "no outcome is noted")
    assert api.done("DELETE", f"{hooks}/{made['id']}", headers=book_key)["removed"] is True


def test_a_client_follows_trades_and_depth_by_websocket_and_is_forgotten_when_it_leaves(
    cloud: Cloud, api: Api, book_key: dict[str, str]
) -> None:
    url = cloud.deployment().websocket_url()
    assert url is not None
    with connect(url, open_timeout=MATCH_S_MAX) as client:
        client.send(json.dumps({"method": "subscribe", "topics": [f"trade@{demo.PAIR}"]}))
        assert json.loads(client.recv(MATCH_S_MAX))["body"] == {"message": "subscribed"}
        client.send("no JSON")
        assert json.loads(client.recv(MATCH_S_MAX))["topic"] == "error"
        trade(api, book_key)
        pushed = json.loads(client.recv(MATCH_S_MAX))
        assert (pushed["id"], pushed["topic"], pushed["body"]["price"]) == (1, f"trade@{demo.PAIR}", 100)
        rows = connection_rows()
    until(lambda: connection_rows() == [], "a client that has left is not forgotten")
    (connection_id,) = {row["id"] for row in rows if "id" in row}
    sender = sender_at(url.replace("ws:", "http:"))
    with pytest.raises(Gone):
        sender.send(connection_id, b"{}")
    sender.close(connection_id)
    wiring.database().put_many(CONNECTIONS, rows)  # as if nobody had said that it left
    trade(api, book_key)
    until(lambda: connection_rows() == [], "a connection that is gone is not forgotten")


def test_a_taker_that_connects_by_websocket_is_begun_by_a_function_of_its_own(cloud: Cloud, api: Api) -> None:  # noqa: ARG001
    headers = {"X-API-Key": taker_demo.taker_desk({})["api_key"]}
    url = f"{cloud.deployment().websocket_url()}?types=order_status_change,cancellation_request"
    with connect(url, additional_headers=headers, open_timeout=MATCH_S_MAX) as client:
        assert json.loads(client.recv(MATCH_S_MAX))["type"] == "heartbeat"
    until(lambda: connection_rows() == [], "a taker that has left is not forgotten")


def test_a_desk_that_there_is_not_lets_no_websocket_client_in(cloud: Cloud) -> None:
    """This cloud refuses by 403, whatever the function answers."""
    with pytest.raises(InvalidStatus) as refused:
        connect(f"{cloud.deployment().websocket_url()}?desk=none", open_timeout=MATCH_S_MAX)
    assert refused.value.response.status_code == 403


def connection_rows() -> list[dict[str, Any]]:
    """Return the rows of connections, without the marks of instances that had some."""
    return [row for row in wiring.database().scan(CONNECTIONS) if not row["topic"].startswith("instance/")]


def trade(api: Api, key: dict[str, str]) -> None:
    buyer, seller = demo.CUSTOMERS[:2]
    api.done("POST", f"{DESK}/orders", order("BUY", buyer), key)
    api.done("POST", f"{DESK}/orders", order("SELL", seller), key)


def test_the_trade_desk_lists_a_customers_orders_for_a_signed_request(api: Api, book_key: dict[str, str]) -> None:
    placed = api.done("POST", f"{DESK}/orders", order("BUY", demo.CUSTOMERS[0], price=90 * UNIT), book_key)
    desk = demo.trade_desk({})
    timestamp = str(time.time_ns() // 10**6)
    signature = signature_of(desk["secret"], timestamp, "GET", "/trade/orders", b"")
    headers = {"authorization": desk["token"], "timestamp": timestamp, "signature": signature}
    listed = api.done("GET", f"/trade/orders?pair={demo.PAIR}&page_size=100", headers=headers)
    assert listed["pagination"]["registers_count"] == len(listed["orders"]) >= 2
    assert 90 in [row["price"] for row in listed["orders"]], placed
    forged = headers | {"signature": signature_of("another", timestamp, "GET", "/trade/orders", b"")}
    assert api.ask("GET", "/trade/orders", headers=forged)[0] == 401


def test_the_taker_desk_lists_and_shows_what_a_taker_has_locked(api: Api) -> None:
    desk = taker_demo.taker_desk({})
    maker, nonce = desk["maker_address"], secrets.token_hex(8)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    chain = str(desk["chain_id"])
    message = "\n".join([f"Wallet address: {maker}", f"ChainId: {chain}", f"Timestamp: {now}", f"Nonce: {nonce}"])
    signed = sign_message(message, desk["maker_private_key"])
    body = {"wallet_address": maker, "chain_id": chain, "message": message, "signature": signed}
    jwt = api.done("POST", "/api/v1/makers/connect", body)["jwt"]
    terms = {"maker": maker, "principal": maker, "is_buy": True, "ticker": desk["ticker"]}
    terms |= {"exchange": desk["exchange"], "asset": desk["asset"], "price": "2", "quantity": str(UNIT)}
    terms |= {"incentive": "100", "deadline": int(time.time()) + 3600, "nonce": 0}
    signed_order = {"order": terms, "signature": sign_order(terms, desk["maker_private_key"], DeskSettings())}
    made = api.done("POST", "/api/v1/orders", signed_order, {"Authorization": f"Bearer {jwt}"})
    taker = {"X-API-Key": desk["api_key"]}
    api.done("POST", "/api/v1/orders/lock", {"order_hash": made["order_hash"]}, taker)
    listed = api.done("GET", "/api/v1/takers/orders?status=locked,partially_filled&page=1", headers=taker)
    assert [one["order_hash"] for one in listed["orders"]] == [made["order_hash"]]
    shown = api.done("GET", f"/api/v1/takers/orders/{made['order_hash']}", headers=taker)
    assert (shown["status"], shown["order_hash"]) == ("locked", made["order_hash"])


def test_a_page_of_a_listed_origin_is_answered_through_the_gateway(api: Api) -> None:
    page = "https://app.example"
    Origins(wiring.database()).add(demo.INSTANCE, page)
    wanted = {"Origin": page, "Access-Control-Request-Method": "POST"}
    for origin, status, allowed in ((page, 204, page), ("https://other.example", 404, None)):
        request = Request(f"{api.base_url}/api/v1/orders", headers=wanted | {"Origin": origin}, method="OPTIONS")
        try:
            answer = urlopen(request, timeout=MATCH_S_MAX)
        except HTTPError as error:
            answer = error
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (status, allowed)


def test_the_escrow_desk_lists_a_merchants_orders_and_takes_forms(api: Api) -> None:
    desk = escrow_demo.escrow_desk({})
    bearer = {"Authorization": f"Bearer {desk['secret_key']}"}
    for path in ("/orders", "/2.0/orders"):
        status, page = api.ask("GET", path, headers=bearer)
        assert (status, page["total"], len(page["data"])) == (200, 3, 3)
    parts = {"name": "Lampe für zwei", "value": "40"} | {name: desk[name] for name in ("buyer_id", "seller_id")}
    lines = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in parts.items()]
    form = "".join(lines) + "--b--\r\n"
    status, made = api.send("POST", "/2.0/orders", form.encode(), bearer | {"content-type": FORM})
    assert status == 200, made
    assert made["data"]["name"] == parts["name"]


def test_a_path_that_no_desk_has_is_answered_by_the_api(api: Api) -> None:
    status, answer = api.ask("GET", "/nowhere")
    assert (status, answer["error"]["code"]) == (404, "NOT_FOUND")


def test_a_command_that_the_mapping_loses_is_brought_back_by_redrive(api: Api, book_key: dict[str, str]) -> None:
    """The embedded event source mapping treats reported failures as success; AWS delivers them again."""
    names = ["--id", LOST_BOOK, "--name", "Lost", "--symbol", "EUR/EXS"]
    tokens = ["--token-address", demo.QUOTE_TOKEN, "--quote-token-address", demo.TOKEN]
    cli.run(["book", "create", "--instance", demo.INSTANCE, *names, *tokens])
    book = f"{demo.INSTANCE}/{LOST_BOOK}"
    unreadable = {"book": {"S": book}, "sequence": {"N": "1"}}
    client, table = boto3.client("dynamodb"), wiring.database().name(JOURNAL)
    client.put_item(TableName=table, Item=unreadable)
    lost = [
        api.done("POST", f"{DESK}/orders", order(side, customer, LOST_BOOK, UNIT), book_key)
        for side, customer in zip(("BUY", "SELL"), demo.CUSTOMERS[2:4], strict=True)
    ]
    later = [api.done("POST", f"{DESK}/orders", order(side, demo.CUSTOMERS[4]), book_key) for side in ("BUY", "SELL")]
    for placed in later:  # after the lost ones in the stream
        until(lambda placed=placed: status_of(api, book_key, placed) == "FILLED", "the other book stands still")
    client.delete_item(TableName=table, Key=unreadable)
    assert [status_of(api, book_key, placed) for placed in lost] == ["OPEN", "OPEN"]
    assert cli.run(["redrive", book]) == {"commands": 2, "books": 1}
    assert [status_of(api, book_key, placed) for placed in lost] == ["FILLED", "FILLED"]


def test_a_book_that_fails_is_parked_and_released_by_the_operator(api: Api, book_key: dict[str, str]) -> None:
    """T53. Each batch fails in the deployed function, which counts it and parks the book at the fifth failure. Skipped
    commands wait in the inbox, and the release decides all of them.
    """
    names = ["--id", FAILING_BOOK, "--name", "Failing", "--symbol", "EUR/FAIL"]
    tokens = ["--token-address", demo.QUOTE_TOKEN, "--quote-token-address", demo.TOKEN]
    cli.run(["book", "close", f"{demo.INSTANCE}/{LOST_BOOK}"])
    cli.run(["book", "create", "--instance", demo.INSTANCE, *names, *tokens])
    book = f"{demo.INSTANCE}/{FAILING_BOOK}"
    unreadable = {"book": {"S": book}, "sequence": {"N": "1"}}
    client, table = boto3.client("dynamodb"), wiring.database().name(JOURNAL)
    client.put_item(TableName=table, Item=unreadable)
    waiting = []
    for failed in range(1, FAILED_BATCHES_MAX + 1):
        customer = demo.CUSTOMERS[2 + failed % 2]
        terms = order("BUY" if failed % 2 else "SELL", customer, FAILING_BOOK, UNIT)
        waiting.append(api.done("POST", f"{DESK}/orders", terms, book_key))
        until(lambda failed=failed: shown(book)["failed_batches"] == failed, "the failure is not counted")
    assert shown(book)["parked_at"] is not None
    assert cli.run(["book", "parked"]) == {"books": [book]}
    assert api.done("GET", f"{DESK}/order-books/{FAILING_BOOK}", headers=book_key)["status"] == "PAUSED"
    status, refused = api.ask("POST", f"{DESK}/orders", terms, book_key)
    assert (status, refused["error"]["code"]) == (400, "ORDER_BOOK_INACTIVE")
    cancel = f"{DESK}/orders/{waiting[0]['id']}"
    assert api.ask("DELETE", cancel, {"customerRef": waiting[0]["customerRef"]}, book_key)[0] == 503
    cli.run(["book", "pause", book])
    until(lambda: any("kept" in row for row in rows_of(book)), "nothing is passed over")
    client.delete_item(TableName=table, Key=unreadable)
    released = cli.run(["book", "release", book])
    assert (released["commands"], released["is_parked"]) == (FAILED_BATCHES_MAX + 1, False)
    assert [status_of(api, book_key, placed) for placed in waiting] == ["FILLED"] * 4 + ["OPEN"]
    assert not any("kept" in row for row in rows_of(book))
    assert cli.run(["book", "parked"]) == {"books": []}
    cli.run(["verify", book])


def shown(book: str) -> dict[str, Any]:
    return cli.run(["book", "show", book])


def rows_of(book: str) -> list[dict[str, Any]]:
    return list(Inbox(wiring.database()).rows(book))


def test_packaged_and_deployed_again_nothing_changes(cloud: Cloud, api: Api, built: Package) -> None:
    deployment = cloud.deployment()
    assert not deployment.deploy(built, {}, {})
    assert cloud.said[0].startswith("There already: s3://")
    assert cloud.said[-1] == "tallybook-dev: no changes."
    assert deployment.api_url() == api.base_url


def test_a_changed_setting_changes_only_what_has_it(cloud: Cloud, api: Api, built: Package) -> None:
    deployment = cloud.deployment()
    function = built.template["Resources"]["MatchInbox"]
    larger = function | {"Properties": function["Properties"] | {"MemorySize": 2048}}
    template = built.template | {"Resources": built.template["Resources"] | {"MatchInbox": larger}}
    assert deployment.deploy(replace(built, template=template), {}, {})
    changes = [line for line in cloud.said if line.startswith(("  + ", "  ~ ", "  - "))]
    assert [line for line in changes if "MemorySize" in line] == ["  ~ MatchInbox AWS::Lambda::Function (MemorySize)"]
    assert not [line for line in changes if "Table" in line]
    assert deployment.api_url() == api.base_url


def test_a_broken_deployment_is_rolled_back_and_says_why(
    cloud: Cloud, api: Api, built: Package, book_key: dict[str, str]
) -> None:
    deployment = cloud.deployment()
    nobody = {
        "PolicyName": "p",
        "Roles": ["no-such-role"],
        "PolicyDocument": {"Version": "2012-10-17", "Statement": []},
    }
    resources = built.template["Resources"] | {"Broken": {"Type": "AWS::IAM::Policy", "Properties": nobody}}
    with pytest.raises(DeploymentFailed, match=r"UPDATE_ROLLBACK_COMPLETE.*\n  Broken \(AWS::IAM::Policy\)") as failed:
        deployment.deploy(replace(built, template=built.template | {"Resources": resources}), {}, {})
    assert "no-such-role" in str(failed.value)
    assert api.done("GET", f"{DESK}/customers/{demo.CUSTOMERS[0]}/orders", headers=book_key)


def test_destroyed_and_deployed_again_it_has_its_tables_and_orders_still(
    cloud: Cloud, api: Api, built: Package, book_key: dict[str, str]
) -> None:
    path = f"{DESK}/customers/{demo.CUSTOMERS[0]}/orders"
    before = api.done("GET", path, headers=book_key)
    cloud.deployment().destroy(delete_tables=False)
    kept = {definition.name for definition in table_definitions(read_stage(STAGE).prefix)}
    assert cloud.tables() == kept
    deployment = cloud.deployment()
    deployment.deploy(built, {"PublicInstance": demo.INSTANCE}, {})
    assert Api(deployment.api_url()).done("GET", path, headers=book_key) == before


def test_behind_an_http_api_it_has_a_new_url_and_no_rest_api(cloud: Cloud, api: Api, built: Package) -> None:
    """This cloud calls the function in the payload format 2.0 whatever the integration says, and Chalice knows none."""
    deployment = cloud.deployment()
    assert deployment.deploy(built, {"FrontDoor": "http"}, {})
    assert deployment.api_url() != api.base_url
    assert boto3.client("apigateway").get_rest_apis()["items"] == []
    apis = boto3.client("apigatewayv2").get_apis()["Items"]
    (found,) = [one for one in apis if one["ProtocolType"] == "HTTP"]
    (integration,) = boto3.client("apigatewayv2").get_integrations(ApiId=found["ApiId"])["Items"]
    assert integration["PayloadFormatVersion"] == "1.0"
    status, answer = Api(deployment.api_url()).ask("GET", "/health")
    assert (status, answer["Message"]) == (500, "Unknown request."), "the function is reached"


def test_destroyed_for_good_nothing_is_left_but_the_artifacts(cloud: Cloud, api: Api) -> None:  # noqa: ARG001
    done = cloud.script("destroy", "--stage", STAGE, "--yes", "--tables", "delete")
    assert done.returncode == 0, done.stderr
    assert cloud.tables() == set()
    assert cloud.deployment().stack.status() is None
    assert boto3.client("ssm").describe_parameters()["Parameters"] == []
    again = cloud.script("destroy", "--stage", STAGE, "--yes")
    assert again.returncode == 0, again.stderr
