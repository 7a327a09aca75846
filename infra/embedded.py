"""Differences of the embedded cloud from AWS: how to detect it, its API's URL, the resources it does not support."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

ALARM = "AWS::CloudWatch::Alarm"
CONNECTIONS_HOST = re.compile(r"(http|ws)s://\$\{WebSocketApi\}\.")

AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn")


def embedded_url(endpoint_url: str) -> str | None:
    """Return the endpoint URL if it is the embedded cloud's; None if it is AWS."""
    host = urlsplit(endpoint_url).hostname or ""
    return None if host.endswith(AWS_HOSTS) else endpoint_url.rstrip("/")


def api_url(outputs: Mapping[str, str], embedded: str | None) -> str:
    """Return the URL of a deployed API, of either front door, without a trailing slash.

    The embedded cloud serves every API at its own address, because the host names of its APIs do not resolve.
    """
    is_rest = "EndpointURL" in outputs
    url = outputs["EndpointURL" if is_rest else "HttpEndpointURL"].rstrip("/")
    if embedded is None:
        return url
    return f"{embedded}/_aws/execute-api/{outputs['RestAPIId' if is_rest else 'HttpApiId']}{urlsplit(url).path}"


def websocket_url(outputs: Mapping[str, str], embedded: str | None) -> str | None:
    """Return the URL of the deployed WebSocket API; None if pushes are off."""
    url = outputs.get("WebSocketUrl")
    if url is None or embedded is None:
        return url
    host, path = (urlsplit(url).hostname or ""), urlsplit(url).path
    return f"ws{embedded.removeprefix('http')}/_aws/execute-api/{host.partition('.')[0]}{path}"


def fit_for(embedded: str, template: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the template as the embedded cloud takes it, and the logical ids of the resources that it rejects.

    These are the alarms on several metrics (metric math). Functions find the WebSocket API at the cloud's own address.
    """
    resources: dict[str, dict[str, Any]] = template["Resources"]
    left_out = [name for name, one in resources.items() if one["Type"] == ALARM and "Metrics" in one["Properties"]]
    kept = {name: _at(embedded, one) for name, one in resources.items() if name not in left_out}
    return template | {"Resources": kept}, left_out


def _at(embedded: str, value: Any) -> Any:
    """Return a part of the template with the embedded cloud's address of the WebSocket API."""
    if isinstance(value, dict):
        return {name: _at(embedded, one) for name, one in value.items()}
    if isinstance(value, list):
        return [_at(embedded, one) for one in value]
    found = CONNECTIONS_HOST.match(value) if isinstance(value, str) else None
    if found is None:
        return value
    return f"{found[1]}{embedded.removeprefix('http')}/_aws/execute-api/${{WebSocketApi}}{urlsplit(value).path}"
