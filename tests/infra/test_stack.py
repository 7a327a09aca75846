"""The deployed template: the app's, merged with the tables and the other fragments."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.services.books.parking import FAILED_BATCHES_MAX
from infra.packaging import (
    FRAGMENTS,
    FUNCTION,
    TABLE,
    Package,
    PackagingFailed,
    answers_for_pages,
    expanded,
    merged,
    package,
    read_stage,
    with_fragment,
)
from infra.tables import table_definitions

MAPPING = "MatchInboxMatchInboxDynamodbEventSource"
OWN_KEY, PROTECTED = "OwnKey", "TablesProtected"


@pytest.fixture(scope="module")
def prod(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return package(read_stage("prod"), tmp_path_factory.mktemp("prod"))


@pytest.fixture(scope="module")
def resources(prod: Package) -> dict[str, dict[str, Any]]:
    """What CloudFormation makes of the package, by logical id."""
    found: dict[str, dict[str, Any]] = expanded(prod)["Resources"]
    return found


def of_type(resources: dict[str, dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {name: resource["Properties"] for name, resource in resources.items() if resource["Type"] == kind}


def test_the_streams_mapping_keeps_order_and_gives_up_late_and_never_silently(
    resources: dict[str, dict[str, Any]],
) -> None:
    mapping = resources[MAPPING]["Properties"]
    assert mapping.pop("FunctionName") == {"Ref": "MatchInbox"}
    assert mapping == {
        "EventSourceArn": {"Fn::GetAtt": ["InboxTable", "StreamArn"]},
        "StartingPosition": "TRIM_HORIZON",
        "BatchSize": 1000,
        "MaximumBatchingWindowInSeconds": 0,
        "ParallelizationFactor": 1,
        "FilterCriteria": {"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}]},
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "BisectBatchOnFunctionError": True,
        "MaximumRetryAttempts": 20,
        "MaximumRecordAgeInSeconds": 43_200,
        "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": ["MatchFailures", "Arn"]}}},
    }
    assert resources["MatchInbox"]["DependsOn"] == "MatchFailuresPolicy"


def test_a_book_is_parked_before_the_stream_gives_its_commands_up(resources: dict[str, dict[str, Any]]) -> None:
    """T53: even where each second failure is not counted, because two shards fail at once."""
    assert resources[MAPPING]["Properties"]["MaximumRetryAttempts"] >= 2 * FAILED_BATCHES_MAX + 1


def test_each_function_on_a_stream_may_send_to_its_own_failure_queue_and_no_other_function_may(
    resources: dict[str, dict[str, Any]],
) -> None:
    policies = of_type(resources, "AWS::IAM::Policy")
    senders = {
        statement["Resource"]["Fn::GetAtt"][0]: [role["Ref"] for role in one["Roles"]]
        for one in policies.values()
        for statement in one["PolicyDocument"]["Statement"]
        if "sqs:SendMessage" in statement["Action"]
    }
    assert senders == {"MatchFailures": ["MatchInboxRole"], "PushFailures": ["PushJournalRole", "PushOutboxRole"]}


def test_every_table_outlives_its_stack_and_can_be_protected(
    resources: dict[str, dict[str, Any]],
) -> None:
    tables = {name: one for name, one in resources.items() if one["Type"] == TABLE}
    assert len(tables) == len(table_definitions("any"))
    choice = {"Fn::If": [PROTECTED, True, False]}
    for name, table in tables.items():
        assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain"), name
        properties = table["Properties"]
        assert properties["DeletionProtectionEnabled"] == choice, name
        assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": choice}, name


def test_an_own_key_encrypts_every_table_and_the_failure_queues(resources: dict[str, dict[str, Any]]) -> None:
    for name, table in of_type(resources, TABLE).items():
        condition, encrypted, _ = table["SSESpecification"]["Fn::If"]
        assert (condition, encrypted["KMSMasterKeyId"]) == (OWN_KEY, {"Ref": "KmsKeyArn"}), name
    queues = of_type(resources, "AWS::SQS::Queue")
    assert queues.keys() == {"MatchFailures", "PushFailures"}
    for name, queue in queues.items():
        assert queue["KmsMasterKeyId"]["Fn::If"][:2] == [OWN_KEY, {"Ref": "KmsKeyArn"}], name
    roles = {name for name, one in resources.items() if one["Type"] == "AWS::IAM::Role"}
    assert {role["Ref"] for role in resources["OwnKeyPolicy"]["Properties"]["Roles"]} == roles


def test_every_function_has_a_role_a_size_a_time_limit_and_the_choice_of_tracing(prod: Package) -> None:
    resources = prod.template["Resources"]
    functions = of_type(resources, FUNCTION)
    assert set(functions) == {
        "APIHandler",
        "MatchInbox",
        "ExpireOrders",
        "SweepSignedOrders",
        "ReleaseEscrows",
        "DeliverWebhooks",
        "PushJournal",
        "PushOutbox",
        "Websocket",
        "BeatConnections",
    }
    for name, function in functions.items():
        assert function["Tracing"] == {"Ref": "Tracing"}, name
        assert function["MemorySize"] >= 256, name
        assert function["Timeout"] > 3, name
        assert "ReservedConcurrentExecutions" not in function, name
        assert function["LoggingConfig"] == {"LogGroup": {"Ref": f"{name}Logs"}}
        assert resources[f"{name}Logs"]["Properties"]["LogGroupName"]["Fn::Sub"] == (
            "/aws/lambda/" + function["FunctionName"]["Fn::Sub"]
        )
    assert functions["APIHandler"]["Timeout"] == 29


def test_what_no_route_names_is_answered_as_the_api_answers(prod: Package) -> None:
    body = prod.template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
    answer = body["x-amazon-apigateway-gateway-responses"]["MISSING_AUTHENTICATION_TOKEN"]
    assert answer["statusCode"] == "404"
    assert json.loads(answer["responseTemplates"]["application/json"])["error"]["code"] == "NOT_FOUND"
    assert "multipart/form-data" in body["x-amazon-apigateway-binary-media-types"]
    assert "application/json" not in body["x-amazon-apigateway-binary-media-types"]


def test_pages_of_one_origin_read_what_the_gateway_answers_itself(prod: Package) -> None:
    """K52. Another origin is another definition, so that it is deployed to the API's stage."""
    deployments = {}
    for origin in ("", "https://app.example", "https://other.example"):
        named = replace(prod, template=with_fragment(prod.template, answers_for_pages(origin), "here"))
        resources = expanded(named)["Resources"]
        deployments[origin] = next(name for name, one in resources.items() if one["Type"].endswith("::Deployment"))
        answers = resources["RestAPI"]["Properties"]["Body"]["x-amazon-apigateway-gateway-responses"]
        headers = {
            "gatewayresponse.header.Access-Control-Allow-Origin": f"'{origin}'",
            "gatewayresponse.header.Vary": "'Origin'",
        }
        shown = {name: one["responseParameters"] for name, one in answers.items() if "responseParameters" in one}
        assert shown == ({"DEFAULT_4XX": headers, "DEFAULT_5XX": headers} if origin else {})
    assert len(set(deployments.values())) == 3


@pytest.mark.parametrize("origin", ["*", "null", "https://app.example/", "https://app.example' '"])
def test_what_is_no_origin_is_not_packaged(origin: str) -> None:
    with pytest.raises(PackagingFailed, match="makers_origin"):
        answers_for_pages(origin)


def test_a_stack_has_one_front_door_or_the_other(resources: dict[str, dict[str, Any]], prod: Package) -> None:
    of_gateway = {name: one for name, one in resources.items() if one["Type"].startswith("AWS::ApiGateway")}
    of_gateway = {name: one for name, one in of_gateway.items() if not name.startswith("WebSocket")}
    of_gateway |= {name: resources[name] for name in ("APIHandlerInvokePermission", "HttpApiPermission")}
    for name, one in of_gateway.items():
        assert one["Condition"] == ("FrontIsHttp" if name.startswith("HttpApi") else "FrontIsRest"), name
    assert {one["Type"] for one in of_gateway.values() if one["Condition"] == "FrontIsHttp"} == {
        "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage", "AWS::ApiGatewayV2::Integration",
        "AWS::ApiGatewayV2::Route", "AWS::Lambda::Permission",
    }  # fmt: skip
    assert resources["HttpApiIntegration"]["Properties"]["PayloadFormatVersion"] == "1.0"
    conditions = {name: one.get("Condition") for name, one in prod.template["Outputs"].items() if "UR" in name}
    assert conditions["EndpointURL"] == "FrontIsRest"
    assert conditions["HttpEndpointURL"] == "FrontIsHttp"
    assert prod.template["Parameters"]["FrontDoor"]["Default"] == "rest"


def test_the_websocket_api_has_one_function_which_sends_and_whoever_pushes_to_its_connections_alone(
    resources: dict[str, dict[str, Any]], prod: Package
) -> None:
    of_sockets = {name: one for name, one in resources.items() if name.startswith("WebSocket")}
    of_sockets |= {"ManageConnectionsPolicy": resources["ManageConnectionsPolicy"]}
    assert {one["Condition"] for one in [*of_sockets.values(), prod.template["Outputs"]["WebSocketUrl"]]} == {
        "PushesOn"
    }
    routes = {one["RouteKey"]: one["Target"] for one in of_type(of_sockets, "AWS::ApiGatewayV2::Route").values()}
    assert routes.keys() == {"$connect", "$default", "$disconnect"}
    assert list(routes.values()) == [{"Fn::Sub": "integrations/${WebSocketIntegration}"}] * 3
    stage = of_sockets["WebSocketStage"]["Properties"]
    assert (stage["StageName"], stage["AutoDeploy"]) == ("ws", True)
    policy = of_sockets["ManageConnectionsPolicy"]["Properties"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == "execute-api:ManageConnections"
    assert statement["Resource"]["Fn::Sub"].endswith(":${WebSocketApi}/ws/*/@connections/*")
    senders = {
        name: variables["TALLYBOOK_CONNECTIONS_URL"]["Fn::If"]
        for name, one in of_type(prod.template["Resources"], FUNCTION).items()
        if "TALLYBOOK_CONNECTIONS_URL" in (variables := one["Environment"]["Variables"])
    }
    assert {role["Ref"] for role in policy["Roles"]} == {f"{name}Role" for name in senders}
    url = {"Fn::Sub": "https://${WebSocketApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}/ws"}
    assert all(chosen == ["PushesOn", url, ""] for chosen in senders.values())


def test_no_tables_but_the_stages_own_can_be_chosen(prod: Package) -> None:
    prefix = prod.template["Parameters"]["TablePrefix"]
    assert (prefix["Default"], prefix["AllowedValues"]) == ("tallybook", ["tallybook"])
    for function in of_type(prod.template["Resources"], FUNCTION).values():
        assert function["Environment"]["Variables"]["TALLYBOOK_TABLE_PREFIX"] == "tallybook"


def test_prod_is_protected_and_dev_is_not() -> None:
    assert (read_stage("prod").is_protected, read_stage("dev").is_protected) == (True, False)


def test_only_stages_of_the_configuration_are_packaged() -> None:
    for name in ("nowhere", "local"):
        with pytest.raises(PackagingFailed, match="has dev, prod"):
            read_stage(name)


def test_fragments_may_add_to_one_resource_but_not_define_one_thing_twice(tmp_path: Path) -> None:
    fragment = tmp_path / "more.yaml"
    fragment.write_text("Resources: {MatchInbox: {Properties: {Description: matcher}}}", encoding="utf-8")
    properties = merged([*FRAGMENTS, fragment], "any")["Resources"]["MatchInbox"]["Properties"]
    assert (properties["Description"], properties["Tracing"]) == ("matcher", {"Ref": "Tracing"})
    fragment.write_text("Resources: {InboxTable: {Type: 'AWS::SQS::Queue'}}", encoding="utf-8")
    with pytest.raises(PackagingFailed, match=r"more\.yaml/Resources/InboxTable/Type is defined by another"):
        merged([*FRAGMENTS, fragment], "any")


def test_the_digest_of_a_package_is_that_of_its_content(tmp_path: Path) -> None:
    def digest(name: str, members: dict[str, str], year: int) -> str:
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for member, content in members.items():
                archive.writestr(zipfile.ZipInfo(member, (year, 1, 1, 0, 0, 0)), content)
        return Package({}, tmp_path / name).digest()

    first = digest("first.zip", {"a.py": "1", "b.py": "2"}, 2025)
    assert digest("later.zip", {"b.py": "2", "a.py": "1"}, 2026) == first
    assert digest("other.zip", {"a.py": "1", "b.py": "3"}, 2025) != first
