"""Calls of another function of the deployment, which nobody waits for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.support.canonical import compact

EVENT = {
    "version": "0",
    "id": "",
    "source": "tallybook",
    "account": "",
    "time": "",
    "region": "",
    "resources": list[str](),
}
"""The members of an EventBridge event beside its kind and its detail."""


def caller_of(client: Callable[[], Any], function: str, kind: str) -> Callable[[Mapping[str, Any]], None]:
    """Return what calls a function of Lambda with a detail. The event is EventBridge's, so a schedule may call it too.

    client: makes or returns Lambda's client. kind: says in the event what the call is about.
    """

    def call(detail: Mapping[str, Any]) -> None:
        event = EVENT | {"detail-type": kind, "detail": detail}
        client().invoke(FunctionName=function, InvocationType="Event", Payload=compact(event).encode())

    return call
