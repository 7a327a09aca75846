"""``tallybook``: the operator's command line (T1).

It manages instances, API keys, tokens, books, credits and debits, the settings and keys of the trade, taker and escrow
desks, merchants, and webhooks; it prints events; it redrives, rebuilds and verifies books. The standard AWS variables
name the tables. Commands that act as a client (orders, accounts, book watch, tape, load) go over HTTP.
A result is tables on a terminal, and one JSON object in a pipe or with ``--json``; amounts in it are strings of base
units. A secret is printed once, by the command that creates it, and stored as a digest only.

A command's function is its documentation: its arguments are the command's, its docstring is the help, with an example.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter

from chalicelib.ops.cli.arguments import Printed
from chalicelib.ops.cli.failures import INTERRUPTED, OUTPUT_NOT_READ, Code, CommandFailed
from chalicelib.ops.cli.output import How, show, show_failure

COMMANDS = {
    "instance": "tenants:instance",
    "key": "tenants:key",
    "api-token": "api_tokens:app",
    "book": "books:app",
    "orders": "orders:app",
    "accounts": "accounts:app",
    "tape": "watching:tape",
    "load": "load:app",
    "token": "ledger:token",
    "credit": "ledger:credit",
    "debit": "ledger:debit",
    "balances": "ledger:balances",
    "fees": "fees:app",
    "customer": "customers:app",
    "holders": "customers:holders",
    "export": "exports:app",
    "statement": "exports:statement",
    "taker-key": "taker_keys:app",
    "taker-desk": "taker_desk:desk",
    "instrument": "taker_desk:instrument",
    "quote": "taker_desk:quote",
    "signed-order": "taker_desk:order",
    "escrow-desk": "escrow:desk",
    "merchant": "escrow:merchant",
    "escrow-key": "escrow_keys:app",
    "webhook": "webhook:app",
    "events": "events:app",
    "redrive": "repair:redrive",
    "rebuild": "repair:rebuild",
    "verify": "repair:verify",
    "mcp": "agents:app",
    "console": "console:app",
}
"""Where each command, or group of commands, is. A module is imported when one of its commands is run."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A command with its arguments."""

    command: Callable[..., Printed | None]
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    how: How

    def run(self) -> Printed:
        """Run it. Return what ``--json`` prints. Raises CommandFailed."""
        try:
            return self.command(*self.arguments, **self.options) or {}
        except CommandFailed:
            raise
        except Exception as error:
            from chalicelib.ops.cli.explaining import failure_of  # imports what speaks to the tables

            failure = failure_of(error)
            if failure is None:
                raise
            raise failure from error


def new_app(summary_of: Callable[[str, str], str | None] = lambda _module, _name: None) -> App:
    """Return the command line: what its ``meta`` parses, it returns as a _Call, or None once a help is printed.

    summary_of: a command's line in the list of all commands; without it, a command is imported to be listed.
    """
    app = App(
        name="tallybook",
        help="Run a Tallybook deployment's tenants and ledger.",
        help_format="plaintext",
        version_flags=[],
        default_parameter=Parameter(negative=()),
        print_error=False,
        exit_on_error=False,
        result_action="return_value",
    )
    for name, place in COMMANDS.items():
        module, _, attribute = f"{__name__}.{place}".partition(":")
        app.command(f"{module}:{attribute}", name=name, help=summary_of(module, attribute))

    @app.command
    def completion(shell: Literal["bash", "zsh", "fish"], /) -> Printed:
        """Print a script that completes commands and options in a shell.

        $ tallybook completion bash
        """
        print(app.generate_completion(shell=shell))
        return {}

    @app.meta.default
    def call(
        *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
        json: Annotated[bool, Parameter(help="print one JSON object")] = False,
    ) -> _Call:
        how = How(wants_json=json)
        command, bound, injected = app.parse_args(tokens)
        return _Call(command, bound.args, bound.kwargs | dict.fromkeys(injected, how), how)

    return app


APP = new_app()


def run(arguments: Sequence[str]) -> Printed:
    """Run a command. Return what ``--json`` prints. Raises CommandFailed, or SystemExit for wrong usage."""
    return _parsed(arguments).run()


def main() -> int:
    """Run the process's command line. Return its exit status."""
    try:
        return _main(sys.argv[1:])
    except BrokenPipeError:  # whoever read the output has enough, as ``head`` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python writes at its end
        return OUTPUT_NOT_READ
    except KeyboardInterrupt:
        return INTERRUPTED


def _main(arguments: Sequence[str]) -> int:
    call = _parsed(arguments)
    lines = getattr(call.command, "lines", None)
    try:
        show(call.run(), call.how, lines)
    except CommandFailed as failure:
        show(dict(failure.printed), call.how, lines)
        show_failure(failure, call.how)
        return failure.code.exit_status
    return 0


def _parsed(arguments: Sequence[str]) -> _Call:
    """Return the call. Raises SystemExit after the help, and for wrong usage after a message."""
    app = APP
    if not arguments or arguments[0] in APP.help_flags:
        from chalicelib.ops.cli.summaries import summary  # imports what parses Python

        app = new_app(summary)
    try:
        _refuse_underscores(arguments)
        call: _Call | None = app.meta(list(arguments))
    except CycloptsError as error:
        failure = CommandFailed(str(error), Code.USAGE)
        show_failure(failure, How(wants_json="--json" in arguments))
        raise SystemExit(failure.code.exit_status) from error
    if call is None:  # the help is printed
        raise SystemExit(0)
    return call


def _refuse_underscores(arguments: Sequence[str]) -> None:
    """Raise CycloptsError for an option with underscores, which cyclopts takes for the same with dashes."""
    for argument in arguments:
        option = argument.partition("=")[0]
        if argument == "--":
            return
        if option.startswith("--") and "_" in option:
            raise CycloptsError(msg=f"Unknown option: {option}. Did you mean {option.replace('_', '-')}?")
