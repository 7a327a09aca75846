"""What a client of boto3 raises: ClientError, and its kinds that we tell apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, NoReturn

from botocore.exceptions import ClientError

from tests.memory.values import Invalid, Item, copied_item

OBSERVERS: list[Callable[[str, Mapping[str, Any]], None]] = []
"""Who is told of each call, by its name and request, before it is done."""
CONDITION_FAILED = "The conditional request failed"


class ConditionalCheckFailedException(ClientError):
    """A write's condition does not hold."""


class TransactionCanceledException(ClientError):
    """A transaction was not done; ``CancellationReasons`` says why, action by action."""


class ResourceNotFoundException(ClientError):
    """There is no such table."""


class ResourceInUseException(ClientError):
    """There is such a table already."""


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
    """An answer that is an error, other than ValidationException."""

    def __init__(self, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.code = code
        self.more = more


class ConditionFailed(Exception):
    """A condition does not hold; ``item`` is what stands there, if the request wants it."""

    def __init__(self, item: Item | None) -> None:
        super().__init__(CONDITION_FAILED)
        self.more = {"Item": copied_item(item)} if item else {}


def operation(method: Callable[..., Any]) -> Callable[..., Any]:
    """Raise as boto3's client does, and add the metadata that each of its answers has."""
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
