"""A function imports what it needs and nothing else, and has it before its first call."""

from __future__ import annotations

import subprocess
import sys

import pytest

from infra.settings import ROOT
from tests.infra.lambda_process import LambdaProcess

OF_NO_START = {"boto3", "eth_account", "eth_utils", "jwt", "multipart", "pydantic", "requests", "s3transfer", "yaml"}
"""What takes long to import, and what only some requests need."""
OF_NO_FUNCTION = {"chalicelib.ops.cli", "chalicelib.ops.verify", "chalicelib.services.books.redrive", "infra"}
OF_THE_APP = {
    "chalicelib.apis",
    "chalicelib.apis.kit",
    "chalicelib.apis.kit.http",
    "chalicelib.apis.kit.mounts",
    "chalicelib.apis.kit.routing",
    "chalicelib.apis.book",
    "chalicelib.apis.book.routes",
}
"""What routing needs, in every function."""
NEEDED = {
    "app": {"botocore.client", "chalicelib.tables.dynamodb"},
    "match_inbox": {"botocore.client", "chalicelib.services.books.matcher", "chalicelib.services.books.stream"},
    "expire_orders": {"botocore.client", "chalicelib.services.books.expiry"},
    "sweep_signed_orders": {"botocore.client", "chalicelib.services.signed.desk"},
    "release_escrows": {"botocore.client", "chalicelib.services.escrow.desk"},
    "deliver_webhooks": {"botocore.client", "chalicelib.services.webhooks.delivering"},
    "push_journal": {"botocore.client", "chalicelib.services.push.rows"},
    "push_outbox": {"botocore.client", "chalicelib.services.push.rows"},
    "beat_connections": {"botocore.client", "chalicelib.services.push.beating"},
    "websocket": {"botocore.client", "chalicelib.apis.sockets", "chalicelib.services.push.sessions"},
}
OF_SOCKETS = {"push_journal", "push_outbox", "websocket", "beat_connections"}
"""What shows events to connections, as their desks do."""
ROOMS = {
    "chalicelib.services.books.matcher",
    "chalicelib.services.books.expiry",
    "chalicelib.services.signed",
    "chalicelib.services.escrow",
}
ROOMS_NEEDED = {
    "app": set(),
    "match_inbox": {"chalicelib.services.books.matcher"},
    "expire_orders": {"chalicelib.services.books.matcher", "chalicelib.services.books.expiry"},
    "sweep_signed_orders": {"chalicelib.services.signed"},
    "release_escrows": {"chalicelib.services.escrow"},
    "deliver_webhooks": set(),
    "push_journal": set(),
    "push_outbox": set(),
    "websocket": set(),
    "beat_connections": set(),
}
DESKS = {
    "_book_desk": ("book", {"pydantic"}),
    "_trade_desk": ("trade", set()),
    "_taker_desk": ("taker", {"pydantic"}),
    "_escrow_desk": ("escrow", {"multipart"}),
}
"""Each desk: its package of ``apis``, and which of OF_NO_START it imports when it is made."""


@pytest.mark.parametrize("function", NEEDED)
def test_a_start_imports_what_the_function_needs_and_nothing_else(function: str) -> None:
    environment = {"TALLYBOOK_CONNECTIONS_URL": "https://abc.execute-api.us-east-1.amazonaws.com/ws"}
    with LambdaProcess(ROOT, function, environment, isolated=False) as process:
        modules = set(process.start.modules)
    assert modules >= NEEDED[function]
    assert modules & (OF_NO_START | OF_NO_FUNCTION) == set()
    assert modules & ROOMS == ROOMS_NEEDED[function]
    apis = {name for name in modules if name.startswith("chalicelib.apis")}
    assert apis >= OF_THE_APP
    assert ("chalicelib.apis.sockets" in apis) == (function in OF_SOCKETS)
    assert function in OF_SOCKETS or apis == OF_THE_APP


def test_whoever_packages_or_tests_the_app_builds_nothing() -> None:
    assert modules_after("import app") & (OF_NO_START | ROOMS) == set()


@pytest.mark.parametrize("desk", DESKS)
def test_a_desk_imports_no_other_and_no_signatures(desk: str) -> None:
    package, more = DESKS[desk]
    modules = modules_after(f"import app; app.{desk}()")
    packages = {name.split(".")[2] for name in modules if name.count(".") > 2 and name.startswith("chalicelib.apis.")}
    assert packages - {package} <= {"book", "kit"}
    assert modules & OF_NO_START == more


def modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())
