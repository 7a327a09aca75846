"""Cross-origin requests (CORS): which pages' scripts may call the routes of makers from a browser (K52).

A preflight names no session, so it allows an origin that any active instance lists. An answer is shown to a page only
if the session's instance lists the page's origin; without a session, it says nothing of any instance and follows the
rule of preflights. Answers to takers' keys are shown to no page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.routing import NoRoute, Route
from chalicelib.apis.taker.routes import ROUTES, Auth
from chalicelib.domain.tenancy.origins import is_origin
from chalicelib.support.telemetry import logger

PREFLIGHT_S = 600
"""How long a browser may remember what a preflight allowed."""
READ_HEADERS = "Authorization, Content-Type, Prefer, X-Instance, X-REQUEST-ID"
SHOWN_HEADERS = "Retry-After, X-REQUEST-ID"
VARY = {"Vary": "Origin"}
_METHODS = ("GET", "POST", "DELETE")


@dataclass(frozen=True, slots=True)
class CrossOrigin:
    """is_listed: tells whether any active instance lists an origin. is_listed_by: whether this instance (instance,
    origin) does. If they raise, nothing is allowed.
    """

    is_listed: Callable[[str], bool]
    is_listed_by: Callable[[str, str], bool]

    def preflight(self, request: HttpRequest) -> HttpResponse | None:
        """Return the answer to a preflight that is allowed; None for every other request."""
        wanted = request.headers.get("access-control-request-method")
        if request.method != "OPTIONS" or wanted is None:
            return None
        methods = [method for method in _METHODS if _is_for_pages(method, request.path)]
        if wanted not in methods or not self._allows(request, None):
            return None
        allowed = {
            "Access-Control-Allow-Methods": ", ".join(methods),
            "Access-Control-Allow-Headers": READ_HEADERS,
            "Access-Control-Max-Age": str(PREFLIGHT_S),
        }
        return HttpResponse(204, "", _shown_to(request) | allowed | VARY)

    def marked(
        self, response: HttpResponse, request: HttpRequest, route: Route[Auth] | None, instance: str | None
    ) -> HttpResponse:
        """Return the answer with the headers by which a browser shows it to a page, or does not.

        instance: the session's, or that which a public route shows; None if there is none.
        """
        if request.method != "OPTIONS" and route is not None and route.auth is Auth.TAKER:
            return response
        headers = {**response.headers, **VARY}
        if route is not None and self._allows(request, instance):
            headers |= _shown_to(request) | {"Access-Control-Expose-Headers": SHOWN_HEADERS}
        return replace(response, headers=headers)

    def _allows(self, request: HttpRequest, instance: str | None) -> bool:
        origin = request.headers.get("origin", "")
        if not is_origin(origin):
            return False
        try:
            return self.is_listed_by(instance, origin) if instance else self.is_listed(origin)
        except Exception:
            logger.exception("the origins of instances cannot be read", origin=origin)
            return False


def _is_for_pages(method: str, path: str) -> bool:
    try:
        route, _ = ROUTES.find(method, path)
    except NoRoute:
        return False
    return route.auth is not Auth.TAKER


def _shown_to(request: HttpRequest) -> dict[str, str]:
    return {"Access-Control-Allow-Origin": request.headers["origin"]}
