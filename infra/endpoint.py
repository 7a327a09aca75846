"""Check, before anything is started, that the DynamoDB endpoint named by the user answers. Takes about a second."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from botocore.session import Session

from infra.settings import StartRefused

CONNECT_S_MAX = 1.0
ANSWER_S_MAX = 5.0
"""A DynamoDB Local that has just been started takes some seconds for its first answer."""
VARIABLES = ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_DYNAMODB_STREAMS", "AWS_ENDPOINT_URL")
_PORTS = {"http": 80, "https": 443}


def refuse_dead_endpoint(environment: Mapping[str, str]) -> None:
    """Raise StartRefused if a variable names an endpoint where nothing answers, or something other than DynamoDB."""
    for variable in VARIABLES:
        if url := environment.get(variable):
            _refuse_unless_it_listens(variable, url)
    _refuse_unless_it_is_dynamodb(environment)


def configured_endpoint(environment: Mapping[str, str]) -> tuple[str, str]:
    """Return the variable that names the DynamoDB endpoint, and its value. Raises KeyError if none does."""
    name = next(name for name in (VARIABLES[0], VARIABLES[2], "") if environment.get(name) or not name)
    return name, environment[name]


def _refuse_unless_it_listens(variable: str, url: str) -> None:
    address = _address(url)
    if address is None:
        raise StartRefused(f"{variable}={url} is no URL. Example: {variable}=http://127.0.0.1:8001")
    outcome: list[OSError] = [TimeoutError("timed out")]

    def connect() -> None:
        try:
            socket.create_connection(address, CONNECT_S_MAX).close()
        except OSError as error:
            outcome[:] = [error]
        else:
            outcome.clear()

    connecting = threading.Thread(target=connect, daemon=True)  # name resolution has no timeout
    connecting.start()
    connecting.join(CONNECT_S_MAX)
    if outcome:
        why = outcome[0].strerror or str(outcome[0])
        raise StartRefused(f"nothing answers at {url}, which {variable} names ({why}). {_ways_out(variable)}")


def _refuse_unless_it_is_dynamodb(environment: Mapping[str, str]) -> None:
    variable, url = configured_endpoint(environment)
    config = Config(connect_timeout=CONNECT_S_MAX, read_timeout=ANSWER_S_MAX, retries={"total_max_attempts": 1})
    try:
        client: Any = Session().create_client("dynamodb", config=config)
        client.list_tables(Limit=1)
    except ClientError as error:
        if not error.response["Error"].get("Code", "").isdigit():
            return  # DynamoDB answered: a user without ListTables may still use the tables
    except (BotoCoreError, ResponseParserError, ValueError) as error:
        raise StartRefused(f"{url}, which {variable} names, cannot be used: {error}. {_ways_out(variable)}") from error
    else:
        return
    raise StartRefused(f"what answers at {url}, which {variable} names, is no DynamoDB. {_ways_out(variable)}")


def _address(url: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.hostname, port) if parts.scheme in _PORTS and parts.hostname and port else None


def _ways_out(variable: str) -> str:
    return f"Start it, or let the run start a DynamoDB of its own: unset {variable}"
