"""The routes of the desks as their documentation names them: below the desk's first mount, ``GET /orders/{id}``."""

from __future__ import annotations

from typing import Any

from chalicelib.apis.escrow import routes as escrow
from chalicelib.apis.kit.mounts import MOUNTS
from chalicelib.apis.kit.routing import Route, RouteTable
from chalicelib.apis.taker import routes as taker


def below_mount(table: RouteTable[Any]) -> dict[str, Route[Any]]:
    mount = MOUNTS[table.desk][0]
    return {f"{route.method} {route.path.removeprefix(mount)}": route for route in table}


TAKER_ROUTES, ESCROW_ROUTES = below_mount(taker.ROUTES), below_mount(escrow.ROUTES)
