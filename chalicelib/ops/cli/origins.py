"""The command for the origins that an instance lists (K52)."""

from __future__ import annotations

import argparse
from typing import Any

from chalicelib import wiring
from chalicelib.domain.tenancy.origins import is_origin
from chalicelib.ops.cli.arguments import Printed, add_command, add_instance
from chalicelib.support.clock import now_s
from chalicelib.tables.origins import Origins
from chalicelib.tables.tenants import Tenants


def add_origins_command(group: Any) -> None:
    """Add the command ``origins`` to the group ``instance``."""
    text = "list the web origins whose pages may call the routes of makers; add one, or remove one"
    command = add_command(group, "origins", _origins, text)
    add_instance(command)
    change = command.add_mutually_exclusive_group()
    change.add_argument("--add", metavar="ORIGIN", type=_origin, help="as browsers send it: https://app.example")
    change.add_argument("--remove", metavar="ORIGIN", type=_origin)


def _origins(options: argparse.Namespace) -> Printed:
    instance = Tenants(wiring.database(), now_s).get(options.instance).instance
    origins = Origins(wiring.database())
    if options.add:
        origins.add(instance, options.add)
    if options.remove:
        origins.remove(instance, options.remove)
    return {"instance": instance, "origins": origins.of_instance(instance)}


def _origin(text: str) -> str:
    if not is_origin(text):
        raise argparse.ArgumentTypeError("must be http:// or https:// and a host in lower case, without path and slash")
    return text
