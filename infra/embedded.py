"""What differs in the embedded cloud: how it is known, where its API is, which resources it does not make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

ALARM = "AWS::CloudWatch::Alarm"


AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn")


def embedded_url(endpoint_url: str) -> str | None:
    """Return the URL of a cloud that is not AWS, None for AWS's own."""
    host = urlsplit(endpoint_url).hostname or ""
    return None if host.endswith(AWS_HOSTS) else endpoint_url.rstrip("/")


def api_url(outputs: Mapping[str, str], embedded: str | None) -> str:
    """Return the URL of a deployed API, without a slash at its end.

    The embedded cloud serves all APIs at its own address, for their hosts' names lead nowhere.
    """
    url = outputs["EndpointURL"].rstrip("/")
    if embedded is None:
        return url
    return f"{embedded}/_aws/execute-api/{outputs['RestAPIId']}{urlsplit(url).path}"


def without_what_it_lacks(template: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a template without the resources that the embedded cloud refuses to make, and their logical ids.

    They are the alarms of several metrics (metric math).
    """
    resources: dict[str, dict[str, Any]] = template["Resources"]
    left_out = [name for name, one in resources.items() if one["Type"] == ALARM and "Metrics" in one["Properties"]]
    kept = {name: one for name, one in resources.items() if name not in left_out}
    return template | {"Resources": kept}, left_out
