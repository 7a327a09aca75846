"""``chalice local`` as it is, on sockets that answer at once: ``python -m infra.serve --port 8000 ...``.

Chalice's development server sends an answer's head and body in two packets. On a connection that is kept open, Nagle's
algorithm then holds the body back until the client's delayed acknowledgement: 44 ms an answer instead of 1.3 ms. It
also queues five connections at most, where a burst of clients would wait a second to try again.
"""

from __future__ import annotations

import logging
import sys

from chalice import local
from chalice.cli import main

CONNECTIONS_QUEUED_MAX = 128


def serve() -> int:
    """Run ``chalice local`` with this command's arguments; return its exit code."""
    local.ChaliceRequestHandler.disable_nagle_algorithm = True
    local.ThreadedHTTPServer.request_queue_size = CONNECTIONS_QUEUED_MAX
    logging.getLogger("botocore").setLevel(logging.WARNING)  # chalice shows INFO of everything
    sys.argv[1:1] = ["local"]
    return main()


if __name__ == "__main__":
    sys.exit(serve())
