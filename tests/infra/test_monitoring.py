"""infra/monitoring.yaml: log groups, alarms and the dashboard match the functions, tables and metrics."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from chalicelib.support.telemetry import BY_FUNCTION, DIMENSIONS, NAMESPACE, Metric
from infra.settings import ROOT
from infra.tables import table_definitions

TEMPLATE = yaml.safe_load((ROOT / "infra" / "monitoring.yaml").read_text(encoding="utf-8"))


def behind(front: str, value: Any) -> Any:
    """Return a part of the template as it is for this front door."""
    if isinstance(value, list):
        return [behind(front, one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get("Fn::If", [""])[0] == "FrontIsHttp":
        return behind(front, value["Fn::If"][1 if front == "http" else 2])
    return {name: behind(front, one) for name, one in value.items()}


RESOURCES: dict[str, dict[str, Any]] = behind("rest", TEMPLATE["Resources"])
CONFIG = json.loads((ROOT / ".chalice" / "config.json").read_text(encoding="utf-8"))
DOCS = (ROOT / "docs" / "watching.md").read_text(encoding="utf-8")
FUNCTIONS = {
    "APIHandler": "api_handler",
    "MatchInbox": "match_inbox",
    "ExpireOrders": "expire_orders",
    "SweepSignedOrders": "sweep_signed_orders",
    "ReleaseEscrows": "release_escrows",
    "DeliverWebhooks": "deliver_webhooks",
    "PushJournal": "push_journal",
    "PushOutbox": "push_outbox",
    "Websocket": "websocket",
    "BeatConnections": "beat_connections",
}
"""By their logical ids, as Chalice makes them."""
OF_AWS = {
    "AWS/Lambda": ({"Errors", "Throttles", "Duration", "IteratorAge"}, {"FunctionName"}),
    "AWS/ApiGateway": ({"Count", "4XXError", "5XXError", "Latency"}, {"ApiName", "Stage"}),
    "AWS/DynamoDB": ({"ReadThrottleEvents", "WriteThrottleEvents"}, {"TableName"}),
    "AWS/SQS": ({"ApproximateNumberOfMessagesVisible"}, {"QueueName"}),
}
"""Metrics that the services have by themselves, with their dimensions."""
ALARMS = {name: one["Properties"] for name, one in RESOURCES.items() if one.get("Type") == "AWS::CloudWatch::Alarm"}

Watched = tuple[str, str, dict[str, Any]]
"""Namespace, name and dimensions of a metric."""


def metrics_of(alarm: dict[str, Any]) -> Iterator[Watched]:
    stats = [one["MetricStat"]["Metric"] for one in alarm.get("Metrics", []) if "MetricStat" in one]
    for metric in stats or [alarm]:
        yield metric["Namespace"], metric["MetricName"], {one["Name"]: one["Value"] for one in metric["Dimensions"]}


def widgets() -> list[dict[str, Any]]:
    body, variables = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    for name in variables.keys() - {"Stage"}:
        body = body.replace(f"${{{name}}}", str(variables[name]))
    found: list[dict[str, Any]] = json.loads(body)["widgets"]
    return found


def metrics_shown() -> Iterator[Watched]:
    for widget in widgets():
        for row in widget["properties"]["metrics"]:
            if isinstance(row[0], dict):
                search = re.fullmatch(
                    r"""SEARCH\('\{(\w+),([\w,]+)\} MetricName="(\w+)" stage="\$\{Stage\}"', '\w+', 300\)""",
                    row[0]["expression"],
                )
                assert search, row
                yield search[1], search[3], dict.fromkeys(search[2].split(","))
            else:
                namespace, name, *dimensions = [part for part in row if not isinstance(part, dict)]
                yield namespace, name, dict(zip(dimensions[::2], dimensions[1::2], strict=True))


def check_exists(metric: Watched) -> None:
    namespace, name, dimensions = metric
    if namespace != NAMESPACE:
        names, keys = OF_AWS[namespace]
        assert name in names
        assert set(dimensions) == keys
        return
    assert set(dimensions) == set(DIMENSIONS.get(Metric(name), BY_FUNCTION))
    assert dimensions.get("function", "match_inbox") in FUNCTIONS.values()


@pytest.mark.parametrize("alarm", ALARMS)
def test_an_alarm_watches_metrics_that_there_are(alarm: str) -> None:
    for metric in metrics_of(ALARMS[alarm]):
        check_exists(metric)
        if metric[0] == NAMESPACE:
            assert metric[2]["stage"] == {"Fn::Select": [1, {"Fn::Split": ["tallybook-", {"Ref": "AWS::StackName"}]}]}


def test_the_dashboard_shows_metrics_that_there_are_and_each_of_our_own() -> None:
    shown = list(metrics_shown())
    for metric in shown:
        check_exists(metric)
    assert {name for namespace, name, _ in shown if namespace == NAMESPACE} == set(Metric)


def test_what_an_alarm_watches_can_be_seen_on_the_dashboard() -> None:
    shown = {(namespace, name) for namespace, name, _ in metrics_shown()}
    for alarm in ALARMS.values():
        assert {(namespace, name) for namespace, name, _ in metrics_of(alarm)} <= shown


def test_behind_an_http_api_its_own_metrics_are_watched_and_shown() -> None:
    """They have other names, and the API's id in place of its name."""
    resources = behind("http", TEMPLATE["Resources"])
    of_api = {"ApiId": {"Ref": "HttpApi"}, "Stage": "$default"}
    assert list(metrics_of(resources["APIFaults"]["Properties"])) == [("AWS/ApiGateway", "5xx", of_api)]
    _, variables = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    assert variables.pop("Stage")
    assert variables == {
        "ApiKey": "ApiId", "Api": {"Ref": "HttpApi"}, "ApiStage": "$default", "Faults": "5xx", "Refusals": "4xx"
    }  # fmt: skip


def test_every_function_has_a_log_group_of_its_name_and_an_alarm_for_its_errors() -> None:
    assert set(FUNCTIONS.values()) == set(CONFIG["lambda_functions"])
    for logical_id, function in FUNCTIONS.items():
        suffix = "" if function == "api_handler" else f"-{function}"
        group = RESOURCES[f"{logical_id}Logs"]["Properties"]
        assert group["LogGroupName"] == {"Fn::Sub": f"/aws/lambda/${{AWS::StackName}}{suffix}"}
        assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}
        errors = ("AWS/Lambda", "Errors", {"FunctionName": {"Ref": logical_id}})
        assert list(metrics_of(ALARMS[f"{logical_id}Errors"])) == [errors]


def test_every_function_and_every_table_is_watched_for_throttles() -> None:
    watched = [metric for name, alarm in ALARMS.items() if "Throttled" in name for metric in metrics_of(alarm)]
    assert [one["FunctionName"] for _, name, one in watched if name == "Throttles"] == [{"Ref": f} for f in FUNCTIONS]
    tables = {"".join(map(str.capitalize, table.name.split("-")[1:])) + "Table" for table in table_definitions("x")}
    for name in ("ReadThrottleEvents", "WriteThrottleEvents"):
        assert {one["TableName"]["Ref"] for _, found, one in watched if found == name} == tables


def test_an_expression_adds_up_all_that_it_names_and_no_more_than_an_alarm_may() -> None:
    for alarm in ALARMS.values():
        for total in [one for one in alarm.get("Metrics", []) if "Expression" in one]:
            ids = [one["Id"] for one in alarm["Metrics"] if "MetricStat" in one]
            assert total["Expression"] == f"SUM([{', '.join(f'FILL({one}, 0)' for one in ids)}])"
            assert len(ids) <= 10


def test_every_alarm_notifies_the_operators_topic_and_missing_data_is_no_alarm() -> None:
    first, *others = ALARMS.values()
    for alarm in others:
        assert alarm["AlarmActions"] == alarm["OKActions"] == first["AlarmActions"]
        assert alarm["TreatMissingData"] == "notBreaching"


def test_each_stage_names_itself_to_its_metrics() -> None:
    for stage in ("dev", "prod"):
        assert CONFIG["stages"][stage]["environment_variables"]["TALLYBOOK_STAGE"] == stage


def test_every_metric_and_every_alarm_is_explained() -> None:
    for metric in Metric:
        assert f"| `{metric}` | {metric.unit} |" in DOCS
    for alarm in ALARMS.values():
        name = alarm["AlarmName"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
        assert f"| `{name}` |" in DOCS


def test_what_alarms_cost_is_what_is_written() -> None:
    """An alarm costs by the metrics that it looks at."""
    looked_at = sum(len(list(metrics_of(alarm))) for alarm in ALARMS.values())
    assert f"{len(ALARMS)} alarms look at {looked_at} metrics" in DOCS
