"""Functions of a local run, and what Lambda calls them with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Handler = Callable[[dict[str, Any], Any], Any]
"""A function: takes an event and a context (``LambdaContext``), and returns its answer."""


@dataclass(frozen=True, slots=True)
class LambdaContext:
    """The members of Lambda's context object that the functions use."""

    function_name: str
    function_version: str = "$LATEST"
    memory_limit_in_mb: int = 1024
    aws_request_id: str = "00000000-0000-0000-0000-000000000000"

    @property
    def invoked_function_arn(self) -> str:
        return f"arn:aws:lambda:us-east-1:000000000000:function:{self.function_name}"
