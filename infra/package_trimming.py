"""Trims a deployment package: removes files that no function imports, and adds precompiled bytecode.

Lambda's package folder is read-only, so a module without bytecode is compiled at every cold start. The bytecode is made
by the Python that packages; Chalice configures Lambda to run the same version.

Licences stay, and so does each distribution's METADATA, where ``importlib.metadata`` reads its version.
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

SERVICES = {
    "apigatewaymanagementapi": "2018-11-29",
    "dynamodb": "2012-08-10",
    "lambda": "2015-03-31",
    "ssm": "2014-11-06",
}
"""The AWS services that the functions call, with their API versions."""
UNPACKED_AT = "/var/task"
DATA = "botocore/data/"
_SERVICE_FILES = {"service-2.json.gz", "endpoint-rule-set-1.json.gz", "paginators-1.json", "service-2.sdk-extras.json"}
_LEFT_OUT_FOLDERS = (
    "Crypto/PublicKey/",
    "Crypto/SelfTest/",
    "Crypto/Signature/",
    "aws_lambda_powertools/event_handler/",
    "aws_lambda_powertools/utilities/auth_alpha/",
    "aws_lambda_powertools/utilities/batch/",
    "aws_lambda_powertools/utilities/circuit_breaker/",
    "aws_lambda_powertools/utilities/data_classes/",
    "aws_lambda_powertools/utilities/data_masking/",
    "aws_lambda_powertools/utilities/feature_flags/",
    "aws_lambda_powertools/utilities/idempotency/",
    "aws_lambda_powertools/utilities/kafka/",
    "aws_lambda_powertools/utilities/parameters/",
    "aws_lambda_powertools/utilities/parser/",
    "aws_lambda_powertools/utilities/streaming/",
    "aws_lambda_powertools/utilities/validation/",
    "bin/",
    "boto3/",
    "cytoolz/tests/",
    "dateutil/zoneinfo/",
    "docs/",
    "eth_account/hdaccount/wordlist/",
    "pydantic/v1/",
    "regex/tests/",
    "s3transfer/",
)
_LEFT_OUT_SUFFIXES = {".c", ".h", ".pxd", ".pyc", ".pyi", ".pyx"}
_DIST_INFO_KEPT = re.compile(r"METADATA|licen[cs]es/.*|(licen[cs]e|notice|copying|authors).*", re.IGNORECASE)
_TEST_MODULE = re.compile(r"(^|/)(tests?/|test_[^/]*\.py$)")
_DATE = (1980, 1, 1, 0, 0, 0)
_COMPRESSION_LEVEL = 9
_READABLE = 0o644 << 16


def trim_package(archive: Path) -> None:
    """Replace the package with a trimmed one. Reproducible: the same input gives the same output, and so does a second
    run.
    """
    trimmed = archive.with_suffix(".trimmed")
    with TemporaryDirectory() as name:
        folder = Path(name)
        permissions = _unpack(archive, folder)
        _compile(folder)
        with zipfile.ZipFile(trimmed, "w") as after:
            for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                info = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _DATE)
                info.external_attr = permissions.get(info.filename, _READABLE)
                after.writestr(info, file.read_bytes(), zipfile.ZIP_DEFLATED, _COMPRESSION_LEVEL)
    trimmed.replace(archive)


def _unpack(archive: Path, folder: Path) -> dict[str, int]:
    """Unpack the needed files. Return each file's permissions, by its name in the folder."""
    permissions: dict[str, int] = {}
    with zipfile.ZipFile(archive) as package:
        for member in package.infolist():
            if not member.is_dir() and is_kept(member.filename):
                name, content = trimmed_data(member.filename, package.read(member))
                permissions[name] = member.external_attr
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
    return permissions


def _compile(folder: Path) -> None:
    """Add bytecode that Python uses without checking the sources (PEP 552, unchecked hashes).

    Runs in a process with a fixed hash seed, because the order of sets would otherwise make each build differ.
    """
    places = ["-s", str(folder), "-p", UNPACKED_AT, str(folder)]
    command = [sys.executable, "-S", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", *places]
    subprocess.run(command, env={"PYTHONHASHSEED": "0"}, cwd=folder, check=True)


def is_kept(name: str) -> bool:
    """Return whether a function may need this file of the package."""
    path = PurePosixPath(name)
    if name.startswith(DATA):
        return _is_data_kept(path)
    if path.parts[0].endswith(".dist-info"):
        return bool(_DIST_INFO_KEPT.fullmatch("/".join(path.parts[1:])))
    return not (name.startswith(_LEFT_OUT_FOLDERS) or path.suffix in _LEFT_OUT_SUFFIXES or _TEST_MODULE.search(name))


def _is_data_kept(path: PurePosixPath) -> bool:
    """Return whether botocore data is needed: its own files, or those of a service in ``<service>/<API version>``."""
    _, _, *parts = path.parts
    if len(parts) == 1:
        return True
    service, version, *names = parts
    return (
        SERVICES.get(service) == version
        and path.name.removesuffix(".gz") in {name.removesuffix(".gz") for name in _SERVICE_FILES}
        and len(names) == 1
    )


def trimmed_data(name: str, content: bytes) -> tuple[str, bytes]:
    """Return botocore's data without documentation and other services, and uncompressed, since every start reads it.

    Any other file is returned unchanged.
    """
    if not name.startswith(DATA):
        return name, content
    if name.endswith(".gz"):
        name, content = name.removesuffix(".gz"), gzip.decompress(content)
    value = json.loads(content)
    if name == f"{DATA}endpoints.json":
        for partition in value["partitions"]:
            partition["services"] = {each: of for each, of in partition["services"].items() if each in SERVICES}
    return name, json.dumps(_without_documentation(value), separators=(",", ":")).encode()


def _without_documentation(value: Any) -> Any:
    if isinstance(value, dict):
        told = {name for name, member in value.items() if name == "documentation" and isinstance(member, str)}
        return {name: _without_documentation(member) for name, member in value.items() if name not in told}
    if isinstance(value, list):
        return [_without_documentation(member) for member in value]
    return value
