"""Deploy a package to a stage's CloudFormation stack, or delete the stack (``make deploy``, ``make destroy``).

Deploying is repeatable: unchanged artifacts are not uploaded and unchanged resources are not touched. Tables retained
from an earlier stack are imported into the new one before anything else is created. See docs/deploy.md.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

import boto3

from infra.artifacts import ArtifactBucket
from infra.embedded import api_url, embedded_url, fit_for, websocket_url
from infra.packaging import Package, Stage, Template, tables_of
from infra.stacks import CREATE_FAILED, REVIEWED, UNDER_WAY, ChangeSet, DeploymentFailed, Kind, Stack
from infra.tables import table_definitions

MASTER_KEY_BYTES = 32
PERIOD_S, PERIOD_EMBEDDED_S = 2.0, 0.2
IMPORTED_SECTIONS = ("AWSTemplateFormatVersion", "Parameters", "Conditions")
RETAINING = "RetainExceptOnCreate"


class DeploymentRefused(Exception):
    """The deployment was refused and nothing was changed. The message says why and what to do."""


class Deployment:
    """One stage in the account of ``session``. ask: prompts for an answer; None: never prompt."""

    def __init__(
        self,
        session: boto3.Session,
        stage: Stage,
        *,
        say: Callable[[str], None],
        ask: Callable[[str], str] | None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._stage = stage
        self._say = say
        self._ask = ask
        self._ssm: Any = session.client("ssm")
        self._dynamodb = session.client("dynamodb")
        cloudformation = session.client("cloudformation")
        self._embedded = embedded_url(cloudformation.meta.endpoint_url)
        period_s = PERIOD_EMBEDDED_S if self._embedded else PERIOD_S
        self.stack = Stack(cloudformation, stage.stack, say=say, pause=pause, period_s=period_s)
        self._account: str = session.client("sts").get_caller_identity()["Account"]
        self._artifacts = ArtifactBucket(session.client("s3"), self._account)

    def deploy(
        self,
        built: Package,
        parameters: Mapping[str, str],
        tags: Mapping[str, str],
        *,
        lose_tables: bool = False,
    ) -> bool:
        """Update the stack to this package. Return whether anything changed.

        Raises DeploymentRefused, DeploymentFailed.
        """
        self._refuse_unfit()
        unknown = set(parameters) - set(built.template["Parameters"])
        if unknown:
            known = ", ".join(sorted(built.template["Parameters"]))
            raise DeploymentRefused(f"no such parameter: {', '.join(sorted(unknown))}; the template has {known}")
        self._artifacts.prepare()
        key = f"packages/{built.digest()}.zip"
        uploaded = self._artifacts.put_file(key, built.archive)
        self._say(f"{'Uploaded' if uploaded else 'There already'}: s3://{self._artifacts.bucket}/{key}")
        template = self._supported(built.deployable(self._artifacts.bucket, key))
        all_tags = {"application": "tallybook", "stage": self._stage.name, **self._stage.tags, **tags}
        self._import_retained_tables(template, parameters)
        kind: Kind = "UPDATE" if self._is_live() else "CREATE"
        chosen = self._parameter_values(template, parameters)
        change_set = self.stack.propose(kind, self._url(template), chosen, all_tags, _name_of_change_set())
        if change_set is None:
            self._say(f"{self.stack.name}: no changes.")
            self._keep_master_key(chosen.get("KmsKeyArn", ""))
            return False
        self._confirm(change_set, lose_tables)
        self._keep_master_key(chosen.get("KmsKeyArn", ""))
        self.stack.execute(change_set)
        return True

    def destroy(self, *, delete_tables: bool) -> None:
        """Delete the stack. Tables and the master key are kept by default. Raises DeploymentRefused, DeploymentFailed.

        delete_tables: delete the tables as well, including the backups of protected ones. This cannot be undone.
        """
        status = self.stack.status()
        if status is not None and status.endswith(UNDER_WAY) and status != REVIEWED:
            raise DeploymentRefused(f"{self.stack.name} is {status}: wait until that has ended.")
        self._confirm_destroying(delete_tables)
        self.stack.delete()
        if not delete_tables:
            self._say(f"{self.stack.name} is gone. Its tables ({self._stage.prefix}-...) and its master key stay.")
            return
        for name in self._tables():
            self._delete_table(name)
        self._ssm.delete_parameters(Names=[self._stage.master_key])
        self._say(f"{self.stack.name} is gone, with its tables and its master key.")

    def api_url(self) -> str:
        """Return the URL of the deployed API, without a trailing slash."""
        return api_url(self.stack.outputs(), self._embedded)

    def websocket_url(self) -> str | None:
        """Return the URL of the deployed WebSocket API; None if pushes are off."""
        return websocket_url(self.stack.outputs(), self._embedded)

    def _supported(self, template: Template) -> Template:
        """Return the template as this cloud takes it (AWS takes all of it)."""
        if self._embedded is None:
            return template
        fit, left_out = fit_for(self._embedded, template)
        if left_out:
            self._say(f"The embedded cloud does not know, so left out: {', '.join(left_out)}")
        return fit

    def _refuse_unfit(self) -> None:
        """Raise DeploymentRefused if the stack's state permits no deployment. Deletes what a failed creation left."""
        status = self.stack.status()
        if status in CREATE_FAILED:
            self._say(f"The first deployment of {self.stack.name} failed ({status}); what is left of it is deleted.")
            self.stack.delete()
        elif status == "UPDATE_ROLLBACK_FAILED":
            raise DeploymentRefused(
                f"{self.stack.name} could not be rolled back. See why (aws cloudformation describe-stack-events), then "
                f"aws cloudformation continue-update-rollback --stack-name {self.stack.name}"
            )
        elif status is not None and status.endswith(UNDER_WAY) and status != REVIEWED:
            raise DeploymentRefused(f"{self.stack.name} is {status}: another deployment is under way.")

    def _is_live(self) -> bool:
        return self.stack.status() not in (None, REVIEWED)

    def _parameter_values(self, template: Template, parameters: Mapping[str, str]) -> dict[str, str]:
        """Return the parameter values: those given, else the stage's, else those of the live stack."""
        live = {name: value for name, value in self.stack.parameters().items() if name in template["Parameters"]}
        return live | {"TablePrefix": self._stage.prefix} | dict(self._stage.parameters) | dict(parameters)

    def _import_retained_tables(self, template: Template, parameters: Mapping[str, str]) -> None:
        """Create a missing stack by importing the tables that an earlier stack retained: CloudFormation cannot create
        them again.
        """
        if self._is_live():
            return
        there = set(self._tables())
        left = {name: logical_id for name, logical_id in tables_of(template).items() if name in there}
        resources = {name: template["Resources"][name] for name in left.values()}
        unfit = [name for name, resource in resources.items() if resource.get("DeletionPolicy") != RETAINING]
        if unfit:
            raise DeploymentRefused(
                f"tables are in the way that no deployment leaves behind; delete them: {', '.join(unfit)}"
            )
        if not left:
            return
        self._say(f"Tables of an earlier deployment are taken in: {', '.join(left)}")
        tables_alone = {section: template[section] for section in IMPORTED_SECTIONS if section in template}
        tables_alone |= {"Resources": resources}
        url = self._url(tables_alone)
        chosen = self._parameter_values(template, parameters)
        change_set = self.stack.propose("IMPORT", url, chosen, {}, _name_of_change_set(), imported_tables=left)
        if change_set is None:
            raise DeploymentFailed("CloudFormation proposes no import of the retained tables")
        self._confirm(change_set, lose_tables=False)
        self.stack.execute(change_set)

    def _tables(self) -> list[str]:
        """Return the names of the existing tables that are the stage's, by prefix, and that the template names."""
        names = {definition.name for definition in table_definitions(self._stage.prefix)}
        pages = self._dynamodb.get_paginator("list_tables").paginate()
        return [name for page in pages for name in page["TableNames"] if name in names]

    def _delete_table(self, name: str) -> None:
        self._say(f"  deleting the table {name}")
        if self._dynamodb.describe_table(TableName=name)["Table"].get("DeletionProtectionEnabled"):
            self._dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
            self._dynamodb.get_waiter("table_exists").wait(TableName=name)
        self._dynamodb.delete_table(TableName=name)
        self._dynamodb.get_waiter("table_not_exists").wait(TableName=name)

    def _url(self, template: Template) -> str:
        text = json.dumps(template, separators=(",", ":"))
        return self._artifacts.put_text(f"templates/{hashlib.sha256(text.encode()).hexdigest()}.json", text)

    def _confirm(self, change_set: ChangeSet, lose_tables: bool) -> None:
        """Show the changes and ask for consent.

        On a no, or if a table would be lost, discards the changes and raises DeploymentRefused.
        """
        self._say(f"{self.stack.name} would change (+ new, ~ changed, - removed, < taken in):")
        for change in change_set.changes:
            self._say(str(change))
        lost = [change.logical_id for change in change_set.changes if change.loses_table]
        if lost and not lose_tables:
            self.stack.discard(change_set)
            raise DeploymentRefused(
                f"tables would be replaced or removed: {', '.join(lost)}. TABLES=replace allows it."
            )
        if self._ask is not None and self._ask("Change it? [y/N] ").strip().lower() not in ("y", "yes"):
            self.stack.discard(change_set)
            raise DeploymentRefused("nothing was changed.")

    def _confirm_destroying(self, delete_tables: bool) -> None:
        tables = self._tables()
        what = "deleted for good" if delete_tables else "kept"
        self._say(f"{self.stack.name} in account {self._account} is deleted; {len(tables)} tables are {what}.")
        if self._ask is not None and self._ask(f"Type the stage's name to do it ({self._stage.name}): ") != (
            self._stage.name
        ):
            raise DeploymentRefused("nothing was deleted.")

    def _keep_master_key(self, kms_key: str) -> None:
        """Create the master key if it is missing. An existing key is never overwritten."""
        key = {"KeyId": kms_key} if kms_key else {}
        try:
            self._ssm.put_parameter(
                Name=self._stage.master_key,
                Description="Tallybook derives the secrets of the trade desk and the taker desk from it.",
                Value=secrets.token_hex(MASTER_KEY_BYTES),
                Type="SecureString",
                Overwrite=False,
                **key,
            )
        except self._ssm.exceptions.ParameterAlreadyExists:
            return
        self._say(f"Made the master key: {self._stage.master_key} (SSM SecureString)")


def _name_of_change_set() -> str:
    return f"deploy-{secrets.token_hex(8)}"
