"""A CloudFormation stack: propose changes, execute them, follow progress, report why they failed.

Every change goes through a change set, so nothing changes that was not shown before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient

TABLE = "AWS::DynamoDB::Table"
NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
UNDER_WAY = "_IN_PROGRESS"
REVIEWED = "REVIEW_IN_PROGRESS"
"""The status of a stack that has only a change set so far."""
CREATE_FAILED = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"}
"""The status after a failed first deployment; such a stack can only be deleted."""
SUCCEEDED = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", "DELETE_COMPLETE"}
CANCELLED = ("Resource creation cancelled", "Resource update cancelled")
STACK_WAIT_S_MAX = 3600.0
CHANGE_SET_WAIT_S_MAX = 300.0

Kind = Literal["CREATE", "UPDATE", "IMPORT"]


class DeploymentFailed(Exception):
    """The stack did not reach the wanted state. The message says why, and what to do if anything can be done."""


@dataclass(frozen=True, slots=True)
class Change:
    """action: Add, Modify, Remove, Import or Dynamic. replaced: True, False, Conditional; empty for a new resource."""

    action: str
    logical_id: str
    kind: str
    replaced: str
    properties: tuple[str, ...]

    @property
    def loses_table(self) -> bool:
        """Whether a table may be deleted or replaced by an empty one of its name."""
        return self.kind == TABLE and (self.action == "Remove" or self.replaced in ("True", "Conditional"))

    def __str__(self) -> str:
        sign = {"Add": "+", "Modify": "~", "Remove": "-", "Import": "<"}.get(self.action, "?")
        why = f" ({', '.join(self.properties)})" if self.properties else ""
        new = {"True": ", REPLACED", "Conditional": ", perhaps REPLACED"}.get(self.replaced, "")
        return f"  {sign} {self.logical_id} {self.kind}{why}{new}"


@dataclass(frozen=True, slots=True)
class ChangeSet:
    arn: str
    changes: tuple[Change, ...]


class Stack:
    """pause: sleeps some seconds; period_s: between two polls; say: receives progress, a line at a time."""

    def __init__(
        self,
        client: CloudFormationClient,
        name: str,
        *,
        say: Callable[[str], None],
        pause: Callable[[float], None] = time.sleep,
        now_s: Callable[[], float] = time.monotonic,
        period_s: float = 2.0,
    ) -> None:
        self._client: Any = client
        self.name = name
        self._say = say
        self._pause = pause
        self._now_s = now_s
        self._period_s = period_s

    def status(self) -> str | None:
        """Return the stack's status; None if there is no such stack."""
        found = self._describe(self.name)
        return None if found is None else str(found["StackStatus"])

    def outputs(self) -> dict[str, str]:
        found = self._describe(self.name) or {}
        return {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}

    def parameters(self) -> dict[str, str]:
        found = self._describe(self.name) or {}
        return {one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", [])}

    def propose(
        self,
        kind: Kind,
        template_url: str,
        parameters: Mapping[str, str],
        tags: Mapping[str, str],
        change_set: str,
        imported_tables: Mapping[str, str] | None = None,
    ) -> ChangeSet | None:
        """Create a change set of this name. Return None if nothing would change. Raises DeploymentFailed.

        imported_tables: for an IMPORT, the logical ids of existing tables, by name.
        """
        request: dict[str, Any] = {
            "StackName": self.name,
            "ChangeSetName": change_set,
            "ChangeSetType": kind,
            "TemplateURL": template_url,
            "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
            "Tags": [{"Key": name, "Value": value} for name, value in tags.items()],
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        }
        if imported_tables:
            request["ResourcesToImport"] = [
                {"ResourceType": TABLE, "LogicalResourceId": logical_id, "ResourceIdentifier": {"TableName": name}}
                for name, logical_id in imported_tables.items()
            ]
        arn = self._client.create_change_set(**request)["Id"]
        pages = self._when_made(arn)
        if pages[0]["Status"] == "FAILED":
            self._client.delete_change_set(ChangeSetName=arn)
            reason = pages[0].get("StatusReason", "no reason given")
            if any(text in reason for text in NO_CHANGES):
                return None
            raise DeploymentFailed(f"CloudFormation refuses the change: {reason}")
        return ChangeSet(arn, tuple(_changes(pages)))

    def discard(self, change_set: ChangeSet) -> None:
        self._client.delete_change_set(ChangeSetName=change_set.arn)

    def execute(self, change_set: ChangeSet) -> None:
        """Execute the change set and wait. Raises DeploymentFailed after a rollback, with the failed resources and
        reasons.
        """
        newest = self._newest_event(self.name)
        self._client.execute_change_set(ChangeSetName=change_set.arn)
        self._wait_until_settled(self.name, newest)

    def delete(self) -> None:
        """Delete the stack and wait; retained resources stay. Raises DeploymentFailed."""
        found = self._describe(self.name)
        if found is None:
            return
        newest = self._newest_event(found["StackId"])
        self._client.delete_stack(StackName=found["StackId"])
        self._wait_until_settled(found["StackId"], newest)

    def _wait_until_settled(self, stack: str, newest: str | None) -> None:
        """Report the stack's events after ``newest`` until it has settled. Raises DeploymentFailed."""
        failures: list[str] = []
        deadline_s = self._now_s() + STACK_WAIT_S_MAX
        while True:
            found = self._describe(stack)
            status = "DELETE_COMPLETE" if found is None else str(found["StackStatus"])
            events = self._events_after(newest, stack)
            for event in reversed(events):
                self._say(_line(event))
                if _is_cause(event):
                    failures.append(f"{event['LogicalResourceId']} ({event['ResourceType']}): {_reason(event)}")
            newest = events[0]["EventId"] if events else newest
            if not status.endswith(UNDER_WAY):
                break
            if self._now_s() > deadline_s:
                raise DeploymentFailed(f"{self.name} is still {status} after {STACK_WAIT_S_MAX:.0f} s")
            self._pause(self._period_s)
        if status not in SUCCEEDED:
            reasons = "\n".join(f"  {failure}" for failure in failures) or "  CloudFormation names no resource"
            raise DeploymentFailed(f"{self.name} ended as {status}, because of\n{reasons}")

    def _when_made(self, change_set: str) -> list[dict[str, Any]]:
        deadline_s = self._now_s() + CHANGE_SET_WAIT_S_MAX
        while True:
            described = self._client.describe_change_set(ChangeSetName=change_set)
            if described["Status"] in ("CREATE_COMPLETE", "FAILED"):
                break
            if self._now_s() > deadline_s:
                raise DeploymentFailed(f"the change set is still {described['Status']}")
            self._pause(self._period_s)
        pages = [described]
        while token := pages[-1].get("NextToken"):
            pages.append(self._client.describe_change_set(ChangeSetName=change_set, NextToken=token))
        return pages

    def _describe(self, stack: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._client.describe_stacks(StackName=stack)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return None if found["StackStatus"] == "DELETE_COMPLETE" else found

    def _newest_event(self, stack: str) -> str | None:
        return next((event["EventId"] for event in self._events(stack)), None)

    def _events_after(self, newest: str | None, stack: str) -> list[dict[str, Any]]:
        """Return the events after the one of this id, newest first."""
        return list(takewhile(lambda event: event["EventId"] != newest, self._events(stack)))

    def _events(self, stack: str) -> Iterator[dict[str, Any]]:
        """Yield the stack's events, newest first; pages are read on demand."""
        for page in self._client.get_paginator("describe_stack_events").paginate(StackName=stack):
            yield from page["StackEvents"]


def _changes(pages: Sequence[Mapping[str, Any]]) -> Iterator[Change]:
    for page in pages:
        for change in page.get("Changes", []):
            resource = change["ResourceChange"]
            targets = [detail["Target"] for detail in resource.get("Details", [])]
            properties = {target.get("Name") or target.get("Attribute", "") for target in targets}
            yield Change(
                resource["Action"],
                resource["LogicalResourceId"],
                resource["ResourceType"],
                resource.get("Replacement", ""),
                tuple(sorted(properties)),
            )


def _line(event: Mapping[str, Any]) -> str:
    reason = f": {_reason(event)}" if event.get("ResourceStatusReason") else ""
    return f"  {event['Timestamp']:%H:%M:%S} {event['ResourceStatus']} {event['LogicalResourceId']}{reason}"


def _reason(event: Mapping[str, Any]) -> str:
    return str(event.get("ResourceStatusReason", "no reason given"))


def _is_cause(event: Mapping[str, Any]) -> bool:
    """Return whether the event is a resource's own failure, not a cancellation that follows from one."""
    is_stack = event["ResourceType"] == "AWS::CloudFormation::Stack"
    is_failure = str(event["ResourceStatus"]).endswith("_FAILED")
    return is_failure and not is_stack and not _reason(event).startswith(CANCELLED)
