"""Deployment logic, with stubs for CloudFormation's answers."""

from __future__ import annotations

import re
import shlex
import subprocess
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from infra.deploy import _parser
from infra.deployment import Deployment, DeploymentRefused
from infra.embedded import api_url, embedded_url, fit_for, websocket_url
from infra.packaging import read_stage
from infra.settings import ROOT
from infra.stacks import Change, ChangeSet, DeploymentFailed, Stack

NAME, ARN = "tallybook-dev", "arn:aws:cloudformation:eu-west-1:111122223333:changeSet/deploy/1"
STACK_ARN = "arn:aws:cloudformation:eu-west-1:111122223333:stack/tallybook-dev/1"
AT = datetime(2026, 1, 1, tzinfo=UTC)
TABLE, FUNCTION = "AWS::DynamoDB::Table", "AWS::Lambda::Function"
URL = "https://s3.eu-west-1.amazonaws.com/b/k"


class Cloud:
    """The clients of a session, stubbed: each answers what was expected, in order, and nothing else."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._clients: dict[str, Any] = {}
        self._stubs: dict[str, Stubber] = {}
        for name in ("cloudformation", "s3", "ssm", "dynamodb", "sts"):
            self._clients[name] = boto3.client(name, region_name="eu-west-1")  # type: ignore[call-overload]
            self._stubs[name] = Stubber(self._clients[name])
            self._stubs[name].activate()

    def client(self, name: str) -> Any:
        return self._clients[name]

    def answer(self, client: str, call: str, answer: dict[str, Any], request: dict[str, Any] | None = None) -> None:
        self._stubs[client].add_response(call, answer, request)

    def refuse(self, client: str, call: str, code: str, message: str) -> None:
        self._stubs[client].add_client_error(call, code, message, http_status_code=400)

    def status(self, status: str) -> None:
        stack = {"StackName": NAME, "StackId": STACK_ARN, "CreationTime": AT, "StackStatus": status}
        self.answer("cloudformation", "describe_stacks", {"Stacks": [stack]})

    def events(self, *events: tuple[str, str, str, str]) -> None:
        """Answer with these events, newest last: logical id, type, status, reason."""
        shown = [
            {"StackId": STACK_ARN, "StackName": NAME, "EventId": f"{name}-{status}", "Timestamp": AT}
            | {"LogicalResourceId": name, "ResourceType": kind, "ResourceStatus": status}
            | ({"ResourceStatusReason": reason} if reason else {})
            for name, kind, status, reason in events
        ]
        self.answer("cloudformation", "describe_stack_events", {"StackEvents": shown[::-1]})

    def stack(self) -> Stack:
        return Stack(self.client("cloudformation"), NAME, say=self.said.append, pause=lambda _: None)

    def deployment(self, answer: str | None = None) -> Deployment:
        ask = None if answer is None else lambda _question: answer
        self.answer("sts", "get_caller_identity", {"Account": "111122223333"})
        session: Any = self
        return Deployment(session, read_stage("dev"), say=self.said.append, ask=ask, pause=lambda _: None)

    def all_asked(self) -> None:
        for stub in self._stubs.values():
            stub.assert_no_pending_responses()


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


def change(action: str, name: str, kind: str, **more: Any) -> dict[str, Any]:
    resource = {"Action": action, "LogicalResourceId": name, "ResourceType": kind} | more
    return {"Type": "Resource", "ResourceChange": resource}


def test_deploying_without_changes_succeeds_and_leaves_no_change_set(cloud: Cloud) -> None:
    cloud.answer("cloudformation", "create_change_set", {"Id": ARN})
    reason = "The submitted information didn't contain changes. Submit different information to create a change set."
    cloud.answer("cloudformation", "describe_change_set", {"Status": "FAILED", "StatusReason": reason})
    cloud.answer("cloudformation", "delete_change_set", {}, {"ChangeSetName": ARN})
    assert cloud.stack().propose("UPDATE", URL, {}, {}, "deploy-1") is None
    cloud.all_asked()


def test_a_change_that_cloudformation_refuses_is_told_with_its_reason(cloud: Cloud) -> None:
    cloud.answer("cloudformation", "create_change_set", {"Id": ARN})
    cloud.answer("cloudformation", "describe_change_set", {"Status": "FAILED", "StatusReason": "Transform failed: x"})
    cloud.answer("cloudformation", "delete_change_set", {})
    with pytest.raises(DeploymentFailed, match="Transform failed: x"):
        cloud.stack().propose("UPDATE", URL, {}, {}, "deploy-1")


def test_all_pages_of_the_changes_are_shown(cloud: Cloud) -> None:
    cloud.answer("cloudformation", "create_change_set", {"Id": ARN})
    cloud.answer("cloudformation", "describe_change_set", {"Status": "CREATE_IN_PROGRESS"})
    first = change("Add", "Queue", "AWS::SQS::Queue")
    cloud.answer(
        "cloudformation", "describe_change_set", {"Status": "CREATE_COMPLETE", "Changes": [first], "NextToken": "2"}
    )
    details = [{"Target": {"Attribute": "Properties", "Name": "MemorySize"}}]
    second = change("Modify", "MatchInbox", FUNCTION, Replacement="False", Details=details)
    cloud.answer(
        "cloudformation",
        "describe_change_set",
        {"Status": "CREATE_COMPLETE", "Changes": [second]},
        {"ChangeSetName": ARN, "NextToken": "2"},
    )
    proposed = cloud.stack().propose("UPDATE", URL, {}, {}, "deploy-1")
    assert proposed is not None
    assert [str(one) for one in proposed.changes] == [
        "  + Queue AWS::SQS::Queue",
        "  ~ MatchInbox AWS::Lambda::Function (MemorySize)",
    ]


@pytest.mark.parametrize(
    ("action", "kind", "replaced", "loses"),
    [
        ("Remove", TABLE, "", True),
        ("Modify", TABLE, "True", True),
        ("Modify", TABLE, "Conditional", True),
        ("Modify", TABLE, "False", False),
        ("Add", TABLE, "", False),
        ("Import", TABLE, "", False),
        ("Remove", FUNCTION, "", False),
        ("Modify", FUNCTION, "True", False),
    ],
)
def test_a_change_loses_a_table_where_it_removes_or_may_replace_it(
    action: str, kind: str, replaced: str, loses: bool
) -> None:
    assert Change(action, "One", kind, replaced, ()).loses_table is loses


def test_a_failure_is_told_after_the_rollback_with_its_cause_and_without_what_it_cancelled(cloud: Cloud) -> None:
    before = ("Old", FUNCTION, "CREATE_FAILED", "of an earlier deployment")
    failed = ("MatchInbox", FUNCTION, "UPDATE_FAILED", "Memory size 5 is too small")
    cancelled = ("APIHandler", FUNCTION, "UPDATE_FAILED", "Resource update cancelled")
    rolled_back = (NAME, "AWS::CloudFormation::Stack", "UPDATE_ROLLBACK_COMPLETE", "")
    cloud.events(before)
    cloud.answer("cloudformation", "execute_change_set", {}, {"ChangeSetName": ARN})
    cloud.status("UPDATE_ROLLBACK_IN_PROGRESS")
    cloud.events(before, failed, cancelled)
    cloud.status("UPDATE_ROLLBACK_COMPLETE")
    cloud.events(before, failed, cancelled, rolled_back)
    with pytest.raises(DeploymentFailed) as told:
        cloud.stack().execute(ChangeSet(ARN, ()))
    assert str(told.value) == (
        f"{NAME} ended as UPDATE_ROLLBACK_COMPLETE, because of\n"
        "  MatchInbox (AWS::Lambda::Function): Memory size 5 is too small"
    )
    assert len(cloud.said) == 3


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("UPDATE_IN_PROGRESS", "another deployment is under way"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name tallybook-dev"),
    ],
)
def test_a_stack_that_cannot_be_deployed_to_is_left_alone(cloud: Cloud, status: str, told: str) -> None:
    cloud.status(status)
    built: Any = None
    with pytest.raises(DeploymentRefused, match=told):
        cloud.deployment().deploy(built, {}, {})
    cloud.all_asked()


def test_what_a_failed_first_deployment_left_is_deleted_first(cloud: Cloud) -> None:
    cloud.status("ROLLBACK_COMPLETE")
    cloud.status("ROLLBACK_COMPLETE")
    cloud.events()
    cloud.answer("cloudformation", "delete_stack", {}, {"StackName": STACK_ARN})
    cloud.status("DELETE_COMPLETE")
    cloud.events((NAME, "AWS::CloudFormation::Stack", "DELETE_COMPLETE", ""))
    cloud.deployment()._refuse_unfit()
    cloud.all_asked()
    assert "The first deployment of tallybook-dev failed (ROLLBACK_COMPLETE)" in cloud.said[0]


def test_a_change_that_would_lose_a_table_is_discarded_unless_told_otherwise(cloud: Cloud) -> None:
    lost = ChangeSet(ARN, (Change("Modify", "OrdersTable", TABLE, "True", ("KeySchema",)),))
    cloud.answer("cloudformation", "delete_change_set", {}, {"ChangeSetName": ARN})
    with pytest.raises(DeploymentRefused, match=r"OrdersTable\. TABLES=replace allows it"):
        cloud.deployment()._confirm(lost, lose_tables=False)
    cloud.all_asked()
    assert cloud.said[-1] == "  ~ OrdersTable AWS::DynamoDB::Table (KeySchema), REPLACED"


def test_a_change_that_is_not_confirmed_is_discarded(cloud: Cloud) -> None:
    cloud.answer("cloudformation", "delete_change_set", {}, {"ChangeSetName": ARN})
    with pytest.raises(DeploymentRefused, match="nothing was changed"):
        cloud.deployment(answer="")._confirm(ChangeSet(ARN, ()), lose_tables=False)
    cloud.all_asked()
    cloud.deployment(answer="y")._confirm(ChangeSet(ARN, ()), lose_tables=False)


def test_a_stage_is_destroyed_only_by_its_name(cloud: Cloud) -> None:
    cloud.status("UPDATE_COMPLETE")
    cloud.answer("dynamodb", "list_tables", {"TableNames": ["tallybook-dev-orders", "tallybook-dev-other"]})
    with pytest.raises(DeploymentRefused, match="nothing was deleted"):
        cloud.deployment(answer="y").destroy(delete_tables=False)
    cloud.all_asked()
    assert "1 tables are kept" in cloud.said[-1]


def test_a_master_key_that_is_there_is_never_overwritten(cloud: Cloud) -> None:
    request = {"Name": "tallybook-dev-master-key", "Description": ANY, "Value": ANY, "Type": "SecureString"}
    cloud.answer("ssm", "put_parameter", {}, request | {"Overwrite": False, "KeyId": "arn:key"})
    cloud.refuse("ssm", "put_parameter", "ParameterAlreadyExists", "is there")
    deployment = cloud.deployment()
    deployment._keep_master_key("arn:key")
    deployment._keep_master_key("")
    cloud.all_asked()
    assert cloud.said == ["Made the master key: tallybook-dev-master-key (SSM SecureString)"]


def test_the_apis_url_is_the_stacks_own_on_aws_and_a_path_of_an_embedded_cloud() -> None:
    outputs = {"EndpointURL": "https://abc.execute-api.eu-west-1.amazonaws.com/dev/", "RestAPIId": "abc"}
    assert api_url(outputs, embedded_url("https://cloudformation.eu-west-1.amazonaws.com")) == (
        "https://abc.execute-api.eu-west-1.amazonaws.com/dev"
    )
    assert embedded_url("https://cloudformation.cn-north-1.amazonaws.com.cn") is None
    assert api_url(outputs, embedded_url("http://127.0.0.1:4566/")) == "http://127.0.0.1:4566/_aws/execute-api/abc/dev"


def test_an_http_api_has_no_stage_in_its_url() -> None:
    outputs = {"HttpEndpointURL": "https://abc.execute-api.eu-west-1.amazonaws.com/", "HttpApiId": "abc"}
    assert api_url(outputs, None) == "https://abc.execute-api.eu-west-1.amazonaws.com"
    assert api_url(outputs, "http://127.0.0.1:4566") == "http://127.0.0.1:4566/_aws/execute-api/abc"


def test_the_commands_of_the_page_about_deploying_are_ones_that_the_script_takes() -> None:
    text = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    commands = re.findall(r"^make (?:deploy|destroy) .*$", text, re.MULTILINE)
    taken = [_parser().parse_args(_arguments_of(command)) for command in commands]
    assert [(one.word, one.stage, one.yes) for one in taken] == [
        ("deploy", "dev", False),
        ("deploy", "prod", True),
        ("deploy", "dev", False),
        ("destroy", "dev", False),
        ("deploy", "dev", False),
    ]
    assert taken[2].parameter == [("Tracing", "Active"), ("PublicInstance", "inst_demo0001")]
    assert taken[4].parameter == [("FrontDoor", "http")]
    assert taken[2].tag == [("team", "markets")]


def _arguments_of(command: str) -> list[str]:
    """Return what make would give the script."""
    printed = subprocess.run(
        [*shlex.split(command), "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    (line,) = re.findall(r"-m infra\.deploy (.*?)$", printed.replace("\\\n", " "), re.MULTILINE)
    return shlex.split(line)


def test_the_websocket_apis_url_is_the_stacks_own_on_aws_and_a_path_of_an_embedded_cloud() -> None:
    outputs = {"WebSocketUrl": "wss://abc.execute-api.eu-west-1.amazonaws.com/ws"}
    assert websocket_url(outputs, None) == "wss://abc.execute-api.eu-west-1.amazonaws.com/ws"
    assert websocket_url(outputs, "http://127.0.0.1:4566") == "ws://127.0.0.1:4566/_aws/execute-api/abc/ws"
    assert websocket_url({}, None) is None, "pushes are off"


def test_only_what_the_embedded_cloud_cannot_make_is_left_out_there() -> None:
    alarm = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"MetricName": "Errors"}}
    of_several = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Metrics": [{"Id": "sum"}]}}
    table = {"Type": TABLE, "Properties": {}}
    template = {"Resources": {"One": alarm, "Several": of_several, "Table": table}}
    assert fit_for("http://127.0.0.1:4566", template) == ({"Resources": {"One": alarm, "Table": table}}, ["Several"])
    assert "Several" in template["Resources"]


def test_functions_on_an_embedded_cloud_send_to_connections_at_its_own_address() -> None:
    def function(url: str) -> dict[str, Any]:
        variables = {"TALLYBOOK_CONNECTIONS_URL": {"Fn::If": ["PushesOn", {"Fn::Sub": url}, ""]}, "OTHER": "https://x"}
        return {"Type": FUNCTION, "Properties": {"Environment": {"Variables": variables}}}

    of_aws = function("https://${WebSocketApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}/ws")
    changed, _ = fit_for("http://127.0.0.1:4566", {"Resources": {"Websocket": of_aws}})
    assert changed["Resources"] == {"Websocket": function("http://127.0.0.1:4566/_aws/execute-api/${WebSocketApi}/ws")}
