"""Fixtures: clients of the whole service."""

from __future__ import annotations

import boto3
import pytest

from chalicelib.domain.books.config import BookConfig
from chalicelib.tables.dynamodb import Database
from tallybook_client import BookDesk, Retries
from tests.infra.stack import RunningStack
from tests.world import Venue


@pytest.fixture
def desk(stack: RunningStack) -> BookDesk:
    """The client of the book desk. It repeats nothing, so that no failure is passed over."""
    return BookDesk(stack.base_url, stack.demo["book_desk"]["api_key"], retries=Retries(attempts=1))


@pytest.fixture
def venue(stack: RunningStack) -> Venue:
    """The demo's book, read from its tables."""
    demo = stack.demo["book_desk"]
    client = boto3.client("dynamodb", endpoint_url=stack.aws_endpoint_url)
    base, quote = demo["token_address"], demo["quote_token_address"]
    config = BookConfig("inst_demo0001", demo["order_book_id"], "Example Shares", "EXS/EUR", base, quote)
    return Venue(Database(client, stack.prefix), config)
