"""``make deploy`` and ``make destroy``: the command line that deploys a stage, or deletes it.

The account and region come from the standard AWS variables (``AWS_PROFILE``, ``AWS_DEFAULT_REGION``,
``AWS_ENDPOINT_URL`` and others).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.ops.cli.failures import CommandFailed
from infra.deployment import Deployment, DeploymentRefused
from infra.packaging import BUILD, PackagingFailed, package, read_stage
from infra.smoke import SmokeTest, SmokeTestFailed
from infra.stacks import DeploymentFailed


def main(arguments: Sequence[str]) -> int:
    """Run a command line. Return its exit code."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], None] = options.command
    try:
        command(options)
    except (DeploymentRefused, PackagingFailed, DeploymentFailed, SmokeTestFailed, CommandFailed) as failure:
        print(f"{options.word}: {failure}", file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError) as error:  # no region, no credentials, no permission
        print(f"{options.word}: {error}", file=sys.stderr)
        return 1
    return 0


def _deploy(options: argparse.Namespace) -> None:
    stage = read_stage(options.stage)
    ask = None if options.yes else _ask
    deployment = Deployment(boto3.Session(), stage, say=_say, ask=ask)
    _say(f"Packaging {stage.name} ...")
    built = package(stage, BUILD / stage.name)
    parameters, tags = dict(options.parameter), dict(options.tag)
    deployment.deploy(built, parameters, tags, lose_tables=options.tables == "replace")
    url, websocket_url = deployment.api_url(), deployment.websocket_url()
    _say(f"The API: {url}")
    _say(f"WebSocket: {websocket_url or 'none, since pushes are off'}")
    if options.smoke:
        os.environ |= {
            "TALLYBOOK_TABLE_PREFIX": stage.prefix,
            "TALLYBOOK_MASTER_KEY": "",
            "TALLYBOOK_MASTER_KEY_PARAMETER": stage.master_key,
        }
        _say(f"Smoke test: {SmokeTest(url, websocket_url).run()}")


def _destroy(options: argparse.Namespace) -> None:
    stage = read_stage(options.stage)
    ask = None if options.yes and not stage.is_protected else _ask
    deployment = Deployment(boto3.Session(), stage, say=_say, ask=ask)
    deployment.destroy(delete_tables=options.tables == "delete")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.deploy", description="Deploy a stage, or destroy it.")
    words = parser.add_subparsers(required=True, metavar="COMMAND", dest="word")
    command = words.add_parser("deploy", help="package, show what would change, change it, try it")
    command.set_defaults(command=_deploy)
    _add_common(command, "replace", "do it even if that replaces or removes tables")
    for name, text in (("parameter", "a parameter of the template"), ("tag", "a tag of all resources")):
        command.add_argument(f"--{name}", metavar="NAME=VALUE", action="append", default=[], type=_pair, help=text)
    command.add_argument("--no-smoke", dest="smoke", action="store_false", help="do not place two orders afterwards")
    command = words.add_parser("destroy", help="delete the stack; tables and master key stay")
    command.set_defaults(command=_destroy)
    _add_common(command, "delete", "delete tables and master key too, for good")
    return parser


def _add_common(command: argparse.ArgumentParser, tables: str, text: str) -> None:
    command.add_argument("--stage", required=True)
    command.add_argument("--yes", action="store_true", help="ask nothing")
    command.add_argument("--tables", choices=[tables], help=text)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError("must be NAME=VALUE")
    return name, value


def _say(text: str) -> None:
    print(text, flush=True)


def _ask(question: str) -> str:
    """Return the typed answer; empty if there is no terminal to type at."""
    try:
        return input(question)
    except EOFError:
        _say("nobody answers; YES=1 asks nothing.")
        return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
