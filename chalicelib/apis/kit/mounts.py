"""Mounts: the path prefixes of each desk. The app reads them before it imports a desk, so no desk is imported here."""

from __future__ import annotations

MOUNTS = {
    "trade": ("/trade", "/v4"),
    "taker": ("/api/v1",),
    "escrow": ("/2.0", "/orders", "/b", "/s", "/q"),
}
"""Path prefixes of each desk. Both of the trade desk serve the same routes (R1); the escrow desk serves orders without
the version too (E1), and pages for the people of an order behind its links (E46). All other paths are the book desk's,
which answers unknown ones too."""
ROOT_PATH, HEALTH_PATH = "/", "/health"
"""Paths of no desk: what the service is, and whether it can serve."""
VENDORED = {
    "swagger-ui-5.35.0": ("swagger-ui-bundle.js", "swagger-ui.css"),
    "noble-hashes-2.4.0": ("_u64.js", "sha3.js", "utils.js"),
    "noble-secp256k1-3.2.0": ("index.js",),
}
"""What ``/docs`` loads of others, as their packages have it (T132): the viewer, and the arithmetic of wallets."""
REFERENCE_PATH = "/docs"
DOCUMENTS = {
    REFERENCE_PATH: "docs.html",
    **{f"{REFERENCE_PATH}/{name}": name for name in ("docs.css", "docs.js", "signing.js", "wallet.js")},
    **{f"{REFERENCE_PATH}/{folder}/{name}": f"{folder}/{name}" for folder, names in VENDORED.items() for name in names},
    "/asyncapi.json": "asyncapi.json",
    "/openapi.json": "openapi.json",
    **{f"/openapi/{d}.json": f"openapi/{d}.json" for d in ("book", "trade", "taker", "escrow")},
}
"""Paths of no desk that show a file of ``apis/reference``."""
CONSOLE_PATH = "/console"
"""The page for browsers; its files are below it."""


def desk_of(method: str, path: str) -> str:
    """Return the desk that answers: book, trade, taker or escrow; or front or console, which are none."""
    if method in ("GET", "HEAD"):
        if path in (ROOT_PATH, HEALTH_PATH, f"{REFERENCE_PATH}/") or path in DOCUMENTS:
            return "front"
        if f"{path}/".startswith(f"{CONSOLE_PATH}/"):
            return "console"
    for desk, mounts in MOUNTS.items():
        if any(f"{path}/".startswith(f"{mount}/") for mount in mounts):
            return desk
    return "book"
