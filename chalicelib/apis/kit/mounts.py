"""Which desk a path is of. The app asks before it imports a desk, so nothing of the desks is imported here."""

from __future__ import annotations

TRADE_MOUNTS = ("trade", "v4")
"""First segments of the paths that are the trade desk's; below both there is the same (R1)."""
TAKER_MOUNT = ["", "api", "v1"]
ESCROW_VERSION, ESCROW_ORDERS = "2.0", "orders"
"""First segments of the escrow desk's paths: of all of them, and of its orders' where the version is left out (E1)."""

ROOT_PATH, HEALTH_PATH = "/", "/health"
"""Paths of no desk, for those who look whether the service is there."""


def is_of_no_desk(method: str, path: str) -> bool:
    return method in ("GET", "HEAD") and path in (ROOT_PATH, HEALTH_PATH)


def is_of_trade_desk(path: str) -> bool:
    return path.split("/")[1:2] in [[mount] for mount in TRADE_MOUNTS]


def is_of_taker_desk(path: str) -> bool:
    return path.split("/")[: len(TAKER_MOUNT)] == TAKER_MOUNT


def is_of_escrow_desk(path: str) -> bool:
    return path.split("/")[1:2] in [[ESCROW_VERSION], [ESCROW_ORDERS]]
