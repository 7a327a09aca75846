"""Which desk a path is of. The app asks before it imports a desk, so nothing of the desks is imported here."""

from __future__ import annotations

MOUNTS = {
    "trade": ("/trade", "/v4"),
    "taker": ("/api/v1",),
    "escrow": ("/2.0", "/orders"),
}
"""What the paths of each desk begin with. Below both of the trade desk there is the same (R1); the escrow desk's orders
are served without the version, too (E1). Every other path is the book desk's, also to say that nothing is there."""
ROOT_PATH, HEALTH_PATH = "/", "/health"
"""Paths of no desk, for those who look whether the service is there."""


def desk_of(method: str, path: str) -> str:
    """Return the name of the desk that answers: book, trade, taker, escrow; or front, which is none."""
    if method in ("GET", "HEAD") and path in (ROOT_PATH, HEALTH_PATH):
        return "front"
    for desk, mounts in MOUNTS.items():
        if any(f"{path}/".startswith(f"{mount}/") for mount in mounts):
            return desk
    return "book"
