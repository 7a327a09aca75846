"""The command ``console``: the operator's page in a browser on this machine."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import App, Parameter

from chalicelib import wiring
from chalicelib.ops import cli
from chalicelib.ops.cli.arguments import Printed
from chalicelib.ops.cli.explaining import failure_of
from chalicelib.ops.cli.failures import CommandFailed
from chalicelib.ops.console.proofs import Proofs
from chalicelib.ops.console.server import Server
from chalicelib.ops.verify import report
from chalicelib.ops.verify.verifier import Verifier, Watch
from chalicelib.support.telemetry import logger

app = App(name="console")


@app.default
def serve_console(
    *, port: Annotated[int, Parameter(help="on 127.0.0.1; 0: a free one", show_default=False)] = 0
) -> Printed:
    """Serve the operator's console to a browser on this machine, until Ctrl-C, and print its address.

    $ tallybook console
    """
    try:
        server = Server(cli.run, Proofs(_prove, _failure), port)
    except (OSError, OverflowError) as error:
        raise CommandFailed(f"port {port} cannot be opened: {error}") from error
    print(f"Open {server.console.url}", flush=True)
    with server:
        server.serve_forever()
    return {}


def _prove(book: str | None, instance: str | None, watch: Watch) -> dict[str, Any]:
    return dict(report.printed(Verifier(wiring.database(), watch).verify(book, instance)))


def _failure(error: Exception) -> dict[str, Any]:
    known = failure_of(error)
    if known is None:
        logger.exception("a verification failed")
    return (known or CommandFailed("The verification failed; the terminal has the fault.")).envelope()
