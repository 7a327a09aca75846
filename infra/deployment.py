"""Bringing a stage's stack to a package, and taking it away: what ``make deploy`` and ``make destroy`` do.

Deploying is repeatable: what has not changed is not uploaded, and not changed. Tables that an earlier deployment left
are taken into the new stack before anything else is made. See docs/deploy.md.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

import boto3

from infra.artifacts import Artifacts
from infra.embedded import api_url, embedded_url, without_what_it_lacks
from infra.packaging import Package, Stage, Template, tables_of
from infra.stacks import CREATE_FAILED, REVIEWED, UNDER_WAY, ChangeSet, DeploymentFailed, Kind, Stack
from infra.tables import table_definitions

MASTER_KEY_BYTES = 32
PERIOD_S, PERIOD_EMBEDDED_S = 2.0, 0.2
IMPORTED_SECTIONS = ("AWSTemplateFormatVersion", "Parameters", "Conditions")
RETAINING = "RetainExceptOnCreate"


class Refused(Exception):
    """Nothing was changed; the text says why and what to do."""


class Deployment:
    """One stage, as the clients of ``session`` see it. ask: returns what a person answers; None: nobody is asked."""

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
        self._artifacts = Artifacts(session.client("s3"), self._account)

    def deploy(
        self,
        built: Package,
        parameters: Mapping[str, str],
        tags: Mapping[str, str],
        *,
        lose_tables: bool = False,
    ) -> bool:
        """Bring the stack to this package; tell whether anything changed. Raises Refused or DeploymentFailed."""
        self._refuse_unfit()
        unknown = set(parameters) - set(built.template["Parameters"])
        if unknown:
            known = ", ".join(sorted(built.template["Parameters"]))
            raise Refused(f"no such parameter: {', '.join(sorted(unknown))}; the template has {known}")
        self._artifacts.prepare()
        key = f"packages/{built.digest()}.zip"
        uploaded = self._artifacts.put_file(key, built.archive)
        self._say(f"{'Uploaded' if uploaded else 'There already'}: s3://{self._artifacts.bucket}/{key}")
        template = self._fit(built.deployable(self._artifacts.bucket, key))
        all_tags = {"application": "tallybook", "stage": self._stage.name, **self._stage.tags, **tags}
        self._take_in_retained_tables(template, parameters)
        kind: Kind = "UPDATE" if self._is_live() else "CREATE"
        chosen = self._chosen(template, parameters)
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
        """Delete the stack; its tables and the master key stay unless told otherwise. Raises Refused, DeploymentFailed.

        delete_tables: for good, with the backups from which a protected table could be restored.
        """
        status = self.stack.status()
        if status is not None and status.endswith(UNDER_WAY) and status != REVIEWED:
            raise Refused(f"{self.stack.name} is {status}: wait until that has ended.")
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
        """Return the deployed API's URL, without a slash at its end."""
        return api_url(self.stack.outputs(), self._embedded)

    def _fit(self, template: Template) -> Template:
        """Return what can be deployed here: all of the template on AWS, and what the embedded cloud knows there."""
        if self._embedded is None:
            return template
        fit, left_out = without_what_it_lacks(template)
        if left_out:
            self._say(f"The embedded cloud does not know, so left out: {', '.join(left_out)}")
        return fit

    def _refuse_unfit(self) -> None:
        """Raise Refused where the stack's state lets nothing be deployed; delete what a failed creation left."""
        status = self.stack.status()
        if status in CREATE_FAILED:
            self._say(f"The first deployment of {self.stack.name} failed ({status}); what is left of it is deleted.")
            self.stack.delete()
        elif status == "UPDATE_ROLLBACK_FAILED":
            raise Refused(
                f"{self.stack.name} could not be rolled back. See why (aws cloudformation describe-stack-events), then "
                f"aws cloudformation continue-update-rollback --stack-name {self.stack.name}"
            )
        elif status is not None and status.endswith(UNDER_WAY) and status != REVIEWED:
            raise Refused(f"{self.stack.name} is {status}: another deployment is under way.")

    def _is_live(self) -> bool:
        return self.stack.status() not in (None, REVIEWED)

    def _chosen(self, template: Template, parameters: Mapping[str, str]) -> dict[str, str]:
        """Return the parameters: as asked for, else as the stage says, else as the live stack has them."""
        live = {name: value for name, value in self.stack.parameters().items() if name in template["Parameters"]}
        return live | {"TablePrefix": self._stage.prefix} | dict(self._stage.parameters) | dict(parameters)

    def _take_in_retained_tables(self, template: Template, parameters: Mapping[str, str]) -> None:
        """Where there is no stack, make it of the tables that an earlier one left: CloudFormation creates no second."""
        if self._is_live():
            return
        there = set(self._tables())
        left = {name: logical_id for name, logical_id in tables_of(template).items() if name in there}
        resources = {name: template["Resources"][name] for name in left.values()}
        unfit = [name for name, resource in resources.items() if resource.get("DeletionPolicy") != RETAINING]
        if unfit:
            raise Refused(f"tables are in the way that no deployment leaves behind; delete them: {', '.join(unfit)}")
        if not left:
            return
        self._say(f"Tables of an earlier deployment are taken in: {', '.join(left)}")
        tables_alone = {section: template[section] for section in IMPORTED_SECTIONS if section in template}
        tables_alone |= {"Resources": resources}
        url = self._url(tables_alone)
        chosen = self._chosen(template, parameters)
        change_set = self.stack.propose("IMPORT", url, chosen, {}, _name_of_change_set(), imported_tables=left)
        if change_set is None:
            raise DeploymentFailed("CloudFormation takes no table in")
        self._confirm(change_set, lose_tables=False)
        self.stack.execute(change_set)

    def _tables(self) -> list[str]:
        """Return the names of tables that are there and have the stage's prefix and a name of the template."""
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
        """Show the changes and ask; discard them and raise Refused where the answer is no, or a table would be lost."""
        self._say(f"{self.stack.name} would change (+ new, ~ changed, - removed, < taken in):")
        for change in change_set.changes:
            self._say(str(change))
        lost = [change.logical_id for change in change_set.changes if change.loses_table]
        if lost and not lose_tables:
            self.stack.discard(change_set)
            raise Refused(f"tables would be replaced or removed: {', '.join(lost)}. TABLES=replace allows it.")
        if self._ask is not None and self._ask("Change it? [y/N] ").strip().lower() not in ("y", "yes"):
            self.stack.discard(change_set)
            raise Refused("nothing was changed.")

    def _confirm_destroying(self, delete_tables: bool) -> None:
        tables = self._tables()
        what = "deleted for good" if delete_tables else "kept"
        self._say(f"{self.stack.name} in account {self._account} is deleted; {len(tables)} tables are {what}.")
        if self._ask is not None and self._ask(f"Type the stage's name to do it ({self._stage.name}): ") != (
            self._stage.name
        ):
            raise Refused("nothing was deleted.")

    def _keep_master_key(self, kms_key: str) -> None:
        """Make the master key where it is missing; one that is there is never overwritten."""
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
