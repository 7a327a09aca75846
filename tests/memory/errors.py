"""Exceptions of a boto3 client: ClientError, and the subclasses that the program distinguishes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, NoReturn

from botocore.exceptions import ClientError

from tests.memory.values import Invalid, Item, copied_item

OBSERVERS: list[Callable[[str, Mapping[str, Any]], None]] = []
"""Functions called before each operation, with its name and request."""
CONDITION_FAILED = "The conditional request failed"


class ConditionalCheckFailedException(ClientError):
    """The condition of a write failed."""


class TransactionCanceledException(ClientError):
    """A transaction was cancelled; ``CancellationReasons`` says why, action by action."""


class ResourceNotFoundException(ClientError):
    """The table does not exist."""


class ResourceInUseException(ClientError):
    """The table exists already."""


EXCEPTIONS = {
    one.__name__: one
    for one in (
        ConditionalCheckFailedException,
        TransactionCanceledException,
        ResourceNotFoundException,
        ResourceInUseException,
    )
}


class Refused(Exception):
    """An error answer other than ValidationException."""

    def __init__(self, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.code = code
        self.more = more


class ConditionFailed(Exception):
    """A condition failed. ``item``: the row found, if the request asks for it."""

    def __init__(self, item: Item | None) -> None:
        super().__init__(CONDITION_FAILED)
        self.more = {"Item": copied_item(item)} if item else {}


def operation(method: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate an operation to raise boto3's exceptions and to add the metadata of an answer."""
    name = "".join(part.capitalize() for part in method.__name__.split("_"))

    def fail(code: str, message: str, **more: Any) -> NoReturn:
        answer: Any = {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": 400, "RetryAttempts": 0},
            **more,
        }
        raise EXCEPTIONS.get(code, ClientError)(answer, name)

    @wraps(method)
    def call(self: Any, **arguments: Any) -> Any:
        for observe in OBSERVERS:
            observe(name, arguments)
        try:
            answer = method(self, **arguments)
        except Invalid as error:
            fail("ValidationException", str(error))
        except ConditionFailed as error:
            fail("ConditionalCheckFailedException", str(error), **error.more)
        except Refused as error:
            fail(error.code, str(error), **error.more)
        answer["ResponseMetadata"] = {"HTTPStatusCode": 200, "RetryAttempts": 0}
        return answer

    return call
