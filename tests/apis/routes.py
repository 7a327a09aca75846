"""The routes of the desks as their documentation names them: below the desk's first mount, ``GET /orders/{id}``."""

from __future__ import annotations

from typing import Any

from chalicelib.apis.escrow import routes as escrow
from chalicelib.apis.kit.mounts import MOUNTS
from chalicelib.apis.kit.routing import Route, RouteTable
from chalicelib.apis.taker import routes as taker
from chalicelib.apis.trade import routes as trade


def below_mount(table: RouteTable[Any]) -> dict[str, Route[Any]]:
    mount = MOUNTS[table.desk][0]
    return {f"{route.method} {route.path.removeprefix(mount)}": route for route in table}


TRADE_ROUTES, TAKER_ROUTES, ESCROW_ROUTES = map(below_mount, (trade.ROUTES, taker.ROUTES, escrow.ROUTES))
