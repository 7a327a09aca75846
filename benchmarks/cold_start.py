"""Benchmark: cold start of the functions, and the first requests at each desk: ``python benchmarks/cold_start.py``.

The package is built and trimmed as for a deployment (pip downloads its parts) and unpacked. Each function starts from
it alone, in a new process, as in Lambda: imports and everything built before the first call. Then a new process serves
each desk's first requests, over an embedded engine. The best of several runs counts, because other load only adds time;
both wall-clock and CPU time are shown. Not measured: the start of Python itself, and Lambda's download and unpacking of
the package. ``--checkout`` measures this checkout with its environment's packages instead.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import boto3

from benchmarks.engine import engine_database
from chalicelib.tables.dynamodb import Database
from infra.package_trimming import trim_package
from infra.settings import ROOT
from infra.tables import create_tables
from tests.infra.first_requests import AT_THE_DESKS, ENVIRONMENT, match_an_order
from tests.infra.lambda_process import LambdaProcess, Step, Story
from tests.infra.package import chalice_package

STARTS = 15
FIRST_REQUESTS = 5
TARGETS_MS = {"app": 300, "match_inbox": 250}
FUNCTIONS = (
    *("app", "match_inbox", "expire_orders", "sweep_signed_orders", "release_escrows", "deliver_webhooks"),
    *("push_journal", "push_outbox", "websocket", "beat_connections"),
)


@dataclass(frozen=True, slots=True)
class Package:
    """A package unpacked in a folder. Sizes in bytes: as Chalice makes it, trimmed, unpacked."""

    folder: Path
    packaged: int
    trimmed: int
    unpacked: int


def package(folder: Path) -> Package:
    """Package, trim and unpack in this folder. Raises AssertionError if pip's downloads fail."""
    archive = chalice_package(folder)
    packaged = archive.stat().st_size
    trim_package(archive)
    with zipfile.ZipFile(archive) as trimmed:
        trimmed.extractall(folder / "task")
        unpacked = sum(member.file_size for member in trimmed.infolist())
    return Package(folder / "task", packaged, archive.stat().st_size, unpacked)


def print_sizes(made: Package) -> Path:
    """Print a package's sizes. Return its folder."""
    mb = [f"{size / 1e6:.1f} MB" for size in (made.packaged, made.trimmed, made.unpacked)]
    print(f"package {mb[0]}, trimmed {mb[1]}, unpacked {mb[2]}")
    return made.folder


def starts(folder: Path, function: str, *, isolated: bool, runs: int = STARTS) -> list[Step]:
    """Start a function some times, each in a new process."""
    steps = []
    for _ in range(runs):
        with LambdaProcess(folder, function, isolated=isolated) as process:
            steps.append(process.start)
    return steps


def print_starts(folder: Path, isolated: bool) -> None:
    for function in FUNCTIONS:
        taken = starts(folder, function, isolated=isolated)
        target = f", target {TARGETS_MS[function]} ms" if function in TARGETS_MS else ""
        print(f"{function} starts in {best(taken)}{target}; {len(taken[0].modules)} modules")


def first_requests(folder: Path, isolated: bool, client: object) -> None:
    for name, story in AT_THE_DESKS.items():
        print(f"first requests of {name}: {story_told(folder, isolated, client, 'app', story)}")
    print(f"first batch of match_inbox: {story_told(folder, isolated, client, 'match_inbox', match_an_order)}")


def story_told(folder: Path, isolated: bool, client: object, function: str, story: Story) -> str:
    runs: list[list[Step]] = []
    for number in range(FIRST_REQUESTS):
        database = Database(client, f"{story.__name__.replace('_', '')}{number}")  # type: ignore[arg-type]
        create_tables(client, database.name("").rstrip("-"))  # type: ignore[arg-type]
        environment = ENVIRONMENT | {
            "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"],
            "POWERTOOLS_LOG_LEVEL": "ERROR",
            "POWERTOOLS_METRICS_DISABLED": "true",
            "TALLYBOOK_TABLE_PREFIX": database.name("").rstrip("-"),
        }
        with LambdaProcess(folder, function, environment, isolated=isolated) as process:
            runs.append(process.run(story(database)))
    return ", then ".join(best(list(steps)) for steps in zip(*runs, strict=True))


def best(steps: list[Step]) -> str:
    return f"{min(step.wall_ms for step in steps):.0f} ms ({min(step.cpu_ms for step in steps):.0f} ms of processor)"


def main() -> None:
    parser = argparse.ArgumentParser(description="How long functions take to start, and a desk's first requests.")
    parser.add_argument("--checkout", action="store_true", help="measure this checkout instead of a package")
    is_checkout = parser.parse_args().checkout
    with tempfile.TemporaryDirectory() as name, engine_database() as database:
        client = database._client
        os.environ["AWS_ENDPOINT_URL"] = client.meta.endpoint_url
        folder = ROOT if is_checkout else print_sizes(package(Path(name)))
        print_starts(folder, not is_checkout)
        first_requests(folder, not is_checkout, boto3.client("dynamodb"))


if __name__ == "__main__":
    main()
