"""Fixtures: clients of the whole service."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from chalicelib.domain.books.config import BookConfig
from chalicelib.tables.dynamodb import Database
from tests.infra.stack import RunningStack
from tests.world import Venue

PLACE = "/orderbooks/stocks/api/offchain/orders"


class Api:
    """A client of the running service, with one connection; not thread-safe."""

    def __init__(self, stack: RunningStack) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(stack.base_url).netloc, timeout=30)
        self._key = stack.demo["book_desk"]["api_key"]

    def call(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any], http.client.HTTPMessage]:
        """Send a request. Return the answer's status, parsed body and headers."""
        content = None if body is None else json.dumps(body)
        self._connection.request(method, path, content, {"x-api-key": self._key} | (headers or {}))
        response = self._connection.getresponse()
        return response.status, json.loads(response.read()), response.headers

    def place(self, order: dict[str, Any], headers: dict[str, str] | None = None) -> dict[str, Any]:
        """Place an order that must be admitted. Return its data."""
        status, answer, _ = self.call("POST", PLACE, order, headers)
        assert status == 201, answer
        data: dict[str, Any] = answer["data"]
        return data

    def orders(self, customer: str, query: str = "") -> list[dict[str, Any]]:
        path = f"/orderbooks/stocks/api/offchain/customers/{customer}/orders{query}"
        status, answer, _ = self.call("GET", path)
        assert status == 200, answer
        rows: list[dict[str, Any]] = answer["data"]
        return rows


@pytest.fixture
def api(stack: RunningStack) -> Api:
    return Api(stack)


@pytest.fixture
def venue(stack: RunningStack) -> Venue:
    """The demo's book, read from its tables."""
    desk = stack.demo["book_desk"]
    client = boto3.client("dynamodb", endpoint_url=stack.aws_endpoint_url)
    base, quote = desk["token_address"], desk["quote_token_address"]
    config = BookConfig("inst_demo0001", desk["order_book_id"], "Example Shares", "EXS/EUR", base, quote)
    return Venue(Database(client, stack.prefix), config)
