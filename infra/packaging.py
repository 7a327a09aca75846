"""The deployment package: the output of ``chalice package``, merged with the CloudFormation fragments of this
directory.

Chalice generates the functions, roles and routes; the fragments define everything else. Two fragments that define the
same name are an error. The result is one template and one archive. Builds are reproducible: the same sources give an
archive with the same digest.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

from chalicelib.domain.tenancy.origins import is_origin
from infra.package_trimming import trim_package
from infra.settings import REGION_DEFAULT, ROOT

Template = dict[str, Any]

APP = "tallybook"
FRAGMENTS = tuple(
    Path(__file__).with_name(f"{name}.yaml") for name in ("tables", "stack", "front_door", "sockets", "monitoring")
)
STAGES_FILE = Path(__file__).with_name("stages.yaml")
NOT_DEPLOYED = {"local"}
SECTIONS_MERGED = ("Parameters", "Mappings", "Conditions", "Resources", "Outputs")
BUILD = ROOT / "build"
FUNCTION, TABLE = "AWS::Serverless::Function", "AWS::DynamoDB::Table"


class PackagingFailed(Exception):
    """The package could not be built. The message says why."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of ``.chalice/config.json``. parameters, tags, makers_origin: its entries in ``stages.yaml``."""

    name: str
    prefix: str
    master_key: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    makers_origin: str = ""

    @property
    def stack(self) -> str:
        return f"{APP}-{self.name}"

    @property
    def is_protected(self) -> bool:
        return self.parameters.get("TableProtection") == "on"


@dataclass(frozen=True, slots=True)
class Package:
    template: Template
    archive: Path

    def digest(self) -> str:
        """Return a digest of the archive's names, permissions and contents, without dates."""
        digest = hashlib.sha256()
        with zipfile.ZipFile(self.archive) as archive:
            for member in sorted(archive.infolist(), key=lambda one: one.filename):
                content = hashlib.sha256(archive.read(member)).hexdigest()
                digest.update(f"{member.filename}\0{member.external_attr}\0{content}\n".encode())
        return digest.hexdigest()

    def deployable(self, bucket: str, key: str) -> Template:
        """Return the template with the functions' code at this S3 location."""
        functions = {
            name: resource | {"Properties": resource["Properties"] | {"CodeUri": {"Bucket": bucket, "Key": key}}}
            for name, resource in self.template["Resources"].items()
            if resource["Type"] == FUNCTION
        }
        return self.template | {"Resources": self.template["Resources"] | functions}


def read_stage(name: str) -> Stage:
    """Return the deployable stage of this name. Raises PackagingFailed."""
    stages = json.loads((ROOT / ".chalice" / "config.json").read_text(encoding="utf-8"))["stages"]
    if name not in stages or name in NOT_DEPLOYED:
        known = ", ".join(sorted(set(stages) - NOT_DEPLOYED))
        raise PackagingFailed(f"there is no stage {name!r} to deploy; .chalice/config.json has {known}")
    environment = stages[name]["environment_variables"]
    chosen = yaml.safe_load(STAGES_FILE.read_text(encoding="utf-8"))[name]
    return Stage(
        name,
        prefix=environment["TALLYBOOK_TABLE_PREFIX"],
        master_key=environment["TALLYBOOK_MASTER_KEY_PARAMETER"],
        parameters=chosen["parameters"],
        tags=chosen["tags"],
        makers_origin=chosen["makers_origin"],
    )


def package(stage: Stage, folder: Path) -> Package:
    """Build a stage's package in this folder. Raises PackagingFailed."""
    folder.mkdir(parents=True, exist_ok=True)
    merged_file = folder / "merge.json"
    template = with_fragment(merged(FRAGMENTS, stage.prefix), answers_for_pages(stage.makers_origin), STAGES_FILE.name)
    merged_file.write_text(json.dumps(template), encoding="utf-8")
    _chalice_package(stage.name, merged_file, folder)
    archive = folder / "deployment.zip"
    trim_package(archive)
    return Package(json.loads((folder / "sam.json").read_text(encoding="utf-8")), archive)


def answers_for_pages(origin: str) -> Template:
    """Return a fragment that lets pages of this origin read the answers that a REST API gives itself (K52).

    The headers of such answers are fixed, so they name one origin. It is written into the API's definition, not into a
    parameter: only a changed definition is deployed to the API's stage. Empty: none. Raises PackagingFailed.
    """
    if not origin:
        return {}
    if not is_origin(origin):
        raise PackagingFailed(f"makers_origin in {STAGES_FILE.name} is no origin as browsers send it: {origin}")
    headers = {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
    shown = {"responseParameters": {f"gatewayresponse.header.{name}": f"'{value}'" for name, value in headers.items()}}
    body = {"x-amazon-apigateway-gateway-responses": {"DEFAULT_4XX": shown, "DEFAULT_5XX": shown}}
    return {"Resources": {"RestAPI": {"Properties": {"DefinitionBody": body}}}}


def merged(fragments: Sequence[Path], prefix: str) -> Template:
    """Return the existing fragments as one template, with this table prefix as the only allowed value.

    The functions' environment and policies contain the prefix. Raises PackagingFailed if two fragments define one name.
    """
    template: Template = {}
    for file in fragments:
        if file.exists():
            fragment = yaml.safe_load(file.read_text(encoding="utf-8"))
            template = with_fragment(
                template, {name: fragment[name] for name in SECTIONS_MERGED if name in fragment}, file.name
            )
    template["Parameters"]["TablePrefix"] |= {"Default": prefix, "AllowedValues": [prefix]}
    return template


def with_fragment(one: Template, other: Template, place: str) -> Template:
    """Return the deep merge of two templates: common names must be mappings. Raises PackagingFailed."""
    result = dict(one)
    for name, value in other.items():
        if name in one and not (isinstance(one[name], dict) and isinstance(value, dict)):
            raise PackagingFailed(f"{place}/{name} is defined by another fragment too")
        result[name] = with_fragment(one[name], value, f"{place}/{name}") if name in one else value
    return result


def expanded(built: Package) -> Template:
    """Return the template after the SAM transform, computed locally, for cfn-lint."""
    from samtranslator.translator.transform import transform  # type: ignore[import-untyped]  # slow to import

    os.environ.setdefault("AWS_DEFAULT_REGION", REGION_DEFAULT)  # required by the translator
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    managed_policies = SimpleNamespace(load=dict)  # the template uses none
    result: Template = transform(built.deployable("artifacts", "package.zip"), {}, managed_policies)
    return result


def tables_of(template: Template) -> dict[str, str]:
    """Return the logical ids of a packaged template's tables, by table name."""
    prefix = template["Parameters"]["TablePrefix"]["Default"]
    return {
        resource["Properties"]["TableName"]["Fn::Sub"].replace("${TablePrefix}", prefix): name
        for name, resource in template["Resources"].items()
        if resource["Type"] == TABLE
    }


def _chalice_package(stage: str, merged_file: Path, folder: Path) -> None:
    command = "import sys; from chalice.cli import main; sys.exit(main())"
    arguments = ["package", "--stage", stage, "--merge-template", str(merged_file.resolve()), str(folder.resolve())]
    environment = {"AWS_DEFAULT_REGION": REGION_DEFAULT} | os.environ
    done = subprocess.run(
        [sys.executable, "-c", command, *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PackagingFailed(f"chalice package: {(done.stderr or done.stdout).strip()}")


def main(stages: Sequence[str]) -> int:
    """Build the packages of these stages in ``build/STAGE``, and what their templates become; return the exit code."""
    try:
        for name in stages:
            built = package(read_stage(name), BUILD / name)
            (BUILD / name / "expanded.json").write_text(json.dumps(expanded(built), indent=1), encoding="utf-8")
            print(f"{name}: {built.archive} ({built.archive.stat().st_size / 1e6:.1f} MB)", flush=True)
    except PackagingFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
