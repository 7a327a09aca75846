"""The trimmed package is small, reproducible, and serves every desk by itself."""

from __future__ import annotations

import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from chalicelib.tables.dynamodb import Database
from infra.package_trimming import SERVICES, is_kept, trim_package
from tests.infra.first_requests import AT_THE_DESKS, ENVIRONMENT, match_an_order
from tests.infra.lambda_process import LambdaProcess, Story
from tests.infra.package import chalice_package
from tests.recording import FUNCTIONS, grants

ARCHIVE_BYTES_MAX = 16_000_000
WITHOUT_ROLE = {"logs"}
"""What Lambda itself calls in a function's name, beside the stream."""
GRANTED_BY_TEMPLATE = {"apigatewaymanagementapi"}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it is deployed; it is made once, of what pip downloads."""
    archive = chalice_package(tmp_path_factory.mktemp("package"))
    trim_package(archive)
    return archive


@pytest.fixture(scope="module")
def unpacked(archive: Path) -> Path:
    folder = archive.with_suffix("")
    with zipfile.ZipFile(archive) as package:
        package.extractall(folder)
    return folder


def test_the_package_is_small(archive: Path) -> None:
    assert archive.stat().st_size < ARCHIVE_BYTES_MAX


def test_trimming_is_reproducible_and_idempotent(tmp_path: Path) -> None:
    """Of any two packages, however Python ordered its sets while the one or the other was made."""
    files = {f"part{number}.py": b"def f(x):\n    return x in {'a', 'b', 'c', 'd'}\n" for number in range(9)}
    archive = _archive(tmp_path, files)
    other = shutil.copy(archive, tmp_path / "other.zip")
    trim_package(archive)
    trim_package(other)
    assert other.read_bytes() == archive.read_bytes()
    trim_package(other)
    assert other.read_bytes() == archive.read_bytes()


def test_every_licence_and_version_stays(archive: Path) -> None:
    with zipfile.ZipFile(archive) as package:
        names = set(package.namelist())
    distributions = {name.split("/")[0] for name in names if ".dist-info/" in name}
    assert len(distributions) > 20
    assert {f"{one}/METADATA" for one in distributions} <= names
    assert any("licen" in name.lower() for name in names if name.startswith("pydantic-"))


@pytest.mark.parametrize("story", AT_THE_DESKS.values(), ids=AT_THE_DESKS)
def test_the_package_alone_serves_each_desk(
    unpacked: Path, embedded_database: Database, embedded_engine_url: str, story: Story
) -> None:
    _serve(unpacked, "app", story, embedded_database, embedded_engine_url)


def test_the_package_alone_matches(unpacked: Path, embedded_database: Database, embedded_engine_url: str) -> None:
    _serve(unpacked, "match_inbox", match_an_order, embedded_database, embedded_engine_url)


def _serve(folder: Path, function: str, story: Story, database: Database, engine_url: str) -> None:
    environment = ENVIRONMENT | {
        "AWS_ENDPOINT_URL": engine_url,
        "TALLYBOOK_TABLE_PREFIX": database.name("").rstrip("-"),
    }
    with LambdaProcess(folder, function, environment) as process:
        steps = process.run(story(database))
    elsewhere = [file for file in steps[-1].files if not file.startswith((str(folder), sys.base_prefix))]
    assert elsewhere == []
    compiled = {Path(file).relative_to(folder) for file in steps[-1].files if file.startswith(str(folder))}
    assert Path("app.py") in compiled


def test_bytecode_is_used_without_checking_the_source(tmp_path: Path) -> None:
    archive = _archive(tmp_path, {"app.py": b"told = 'by the source'\n"})
    trim_package(archive)
    with zipfile.ZipFile(archive) as package:
        package.extractall(tmp_path / "task")
    (tmp_path / "task" / "app.py").write_text("raise AssertionError\n", encoding="utf-8")
    with LambdaProcess(tmp_path / "task", "told") as process:
        assert "app" in process.start.modules


def test_unused_files_go_and_used_ones_and_licences_stay() -> None:
    kept = [
        "app.py",
        "chalicelib/apis/kit/http.py",
        "botocore/cacert.pem",
        "botocore/data/endpoints.json",
        "botocore/data/dynamodb/2012-08-10/service-2.json.gz",
        "eth_utils/__json/eth_networks.json",
        "x-1.dist-info/METADATA",
        "x-1.dist-info/licenses/LICENSE.txt",
        "x-1.dist-info/LICENCE",
        "x-1.dist-info/NOTICE",
    ]
    left_out = [
        "botocore/data/s3/2006-03-01/service-2.json.gz",
        "botocore/data/dynamodb/2011-12-05/service-2.json.gz",
        "botocore/data/dynamodb/2012-08-10/examples-1.json",
        "regex/tests/test_regex.py",
        "bitarray/test_bitarray.py",
        "cytoolz/itertoolz.c",
        "x-1.dist-info/RECORD",
        "app.pyc",
    ]
    assert [name for name in [*kept, *left_out] if is_kept(name)] == kept


def test_the_data_of_every_service_that_a_policy_names_stays() -> None:
    called = {action.partition(":")[0] for function in FUNCTIONS for action, _ in grants("prod", function)}
    assert set(SERVICES) == (called | GRANTED_BY_TEMPLATE) - WITHOUT_ROLE


def _archive(folder: Path, files: dict[str, bytes]) -> Path:
    path = folder / "deployment.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path
