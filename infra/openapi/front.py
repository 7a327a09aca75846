"""What the OpenAPI document of all desks says of the paths that are of none: ``/`` and ``/health``."""

from __future__ import annotations

from chalicelib.apis.front import RETRY_AFTER_S, WHAT_THIS_IS
from chalicelib.apis.kit.description import JSON, Schema, array, constant, integer, members, text, words
from chalicelib.apis.kit.mounts import HEALTH_PATH, MOUNTS, ROOT_PATH

TAG = "Service"
_DESK = members(
    desk=words(("book", *(desk for desk in MOUNTS)), "Name of the desk."),
    path=text(says="Where its paths begin."),
    page=text(says="The page that describes it."),
)
_ABOUT = members(
    service=text(says="Name of the service."),
    about=text(says="What it is."),
    desks=array(_DESK, "Its desks; each speaks one API."),
    health=text(says="Path that tells whether it can serve."),
    documents=array(text(), "Paths of what describes it, for people and for programs."),
    where_to_begin=text(says="What to read first."),
)
_HEALTHY = members(status=constant("ok", "It can serve."))
_SICK = members(status=constant("unavailable", "It cannot serve."), message=text(says="Why, for people."))


def _operation(name: str, summary: str, says: str, schema: Schema, example: object) -> Schema:
    answer = {"description": f"{summary}: done.", "content": {JSON: {"schema": schema, "example": example}}}
    found: Schema = {"operationId": f"front.{name}", "summary": summary, "description": says, "tags": [TAG]}
    return found | {"security": [], "responses": {"200": answer}}


_HEALTH = _operation(
    "health",
    "Tell whether the service can serve",
    "Looks at a table, at most once in two seconds a process. It needs no credential.",
    _HEALTHY,
    {"status": "ok"},
)
_HEALTH["responses"]["503"] = {
    "description": "The tables do not answer.",
    "headers": {
        "Retry-After": {"description": "Seconds to wait.", "schema": integer(RETRY_AFTER_S, RETRY_AFTER_S)},
    },
    "content": {JSON: {"schema": _SICK}},
}
PATHS: Schema = {
    ROOT_PATH: {
        "get": _operation(
            "about",
            "Show what the service is",
            "The desks, where each begins, and the documents that describe them. It needs no credential.",
            _ABOUT,
            WHAT_THIS_IS,
        )
    },
    HEALTH_PATH: {"get": _HEALTH},
}
