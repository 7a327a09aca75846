"""Takes out of a deployment package what no function imports, and puts in what Python would else compile at each start.

Lambda unpacks the package into a folder that nothing can be written to, so a module without bytecode is compiled at
every cold start. The bytecode is put beside the sources, for the Python that packages: Chalice has Lambda use the same.

Licences stay, and so does each distribution's METADATA, by which ``importlib.metadata`` knows its version.
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

SERVICES = {"dynamodb": "2012-08-10", "ssm": "2014-11-06"}
"""The AWS services that functions call, each with the version of its API."""
UNPACKED_AT = "/var/task"
DATA = "botocore/data/"
_SERVICE_FILES = {"service-2.json.gz", "endpoint-rule-set-1.json.gz", "paginators-1.json", "service-2.sdk-extras.json"}
_LEFT_OUT_FOLDERS = (
    "Crypto/PublicKey/",
    "Crypto/SelfTest/",
    "Crypto/Signature/",
    "aws_lambda_powertools/event_handler/",
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


def slim(archive: Path) -> None:
    """Write the package anew, smaller. The same package in gives the same one out, and a slimmed one stays as it is."""
    slimmed = archive.with_suffix(".slim")
    with TemporaryDirectory() as name:
        folder = Path(name)
        permissions = _unpack(archive, folder)
        _compile(folder)
        with zipfile.ZipFile(slimmed, "w") as after:
            for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                info = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _DATE)
                info.external_attr = permissions.get(info.filename, _READABLE)
                after.writestr(info, file.read_bytes(), zipfile.ZIP_DEFLATED, _COMPRESSION_LEVEL)
    slimmed.replace(archive)


def _unpack(archive: Path, folder: Path) -> dict[str, int]:
    """Unpack what is kept of the package; return each file's permissions, by its name there."""
    permissions: dict[str, int] = {}
    with zipfile.ZipFile(archive) as package:
        for member in package.infolist():
            if not member.is_dir() and is_kept(member.filename):
                name, content = slimmed_data(member.filename, package.read(member))
                permissions[name] = member.external_attr
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
    return permissions


def _compile(folder: Path) -> None:
    """Put bytecode beside the sources, which Python takes without a look at them (PEP 552).

    In a process of its own, whose sets have the same order every time: else no two packages would be the same.
    """
    places = ["-s", str(folder), "-p", UNPACKED_AT, str(folder)]
    command = [sys.executable, "-S", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", *places]
    subprocess.run(command, env={"PYTHONHASHSEED": "0"}, cwd=folder, check=True)


def is_kept(name: str) -> bool:
    """Tell whether a function may need this file of the package."""
    path = PurePosixPath(name)
    if name.startswith(DATA):
        return _is_data_kept(path)
    if path.parts[0].endswith(".dist-info"):
        return bool(_DIST_INFO_KEPT.fullmatch("/".join(path.parts[1:])))
    return not (name.startswith(_LEFT_OUT_FOLDERS) or path.suffix in _LEFT_OUT_SUFFIXES or _TEST_MODULE.search(name))


def _is_data_kept(path: PurePosixPath) -> bool:
    """Botocore's own files lie in its data folder; a service's in <service>/<version of its API>."""
    _, _, *parts = path.parts
    if len(parts) == 1:
        return True
    service, version, *names = parts
    return (
        SERVICES.get(service) == version
        and path.name.removesuffix(".gz") in {name.removesuffix(".gz") for name in _SERVICE_FILES}
        and len(names) == 1
    )


def slimmed_data(name: str, content: bytes) -> tuple[str, bytes]:
    """Return botocore's data without documentation and other services, unpacked, for it is read at each start.

    Any other file is returned as it is.
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
