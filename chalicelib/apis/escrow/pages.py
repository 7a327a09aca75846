"""Pages behind an order's links: the buyer reads how to pay, the seller accepts or rejects (E46).

A link lets whoever has it do one thing on one order. GET changes nothing. A POST carries the token of the form that was
shown, which fits the order only as it was then, so a form works once. Pages have no scripts and load nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, urlsplit

from chalicelib.apis.escrow.bodies import MULTIPART, URLENCODED, UnreadableBody, body_of
from chalicelib.apis.escrow.envelope import INVALID, Fault, not_found, server_error, too_many
from chalicelib.apis.escrow.page_html import Form, Shown, message_page, order_page
from chalicelib.apis.escrow.routes import PAGES, Auth
from chalicelib.apis.kit.answering import Faults, answered
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.routing import Route
from chalicelib.domain.escrow.faults import Forbidden
from chalicelib.domain.escrow.lifecycle import Status
from chalicelib.domain.escrow.links import Page, form_token, handle_of, is_form_token
from chalicelib.domain.escrow.order import Order
from chalicelib.domain.escrow.payments import Payin, PayinStatus
from chalicelib.domain.escrow.settings import OpenDesk
from chalicelib.domain.tenancy.instances import World
from chalicelib.domain.tenancy.keys import ESCROW_RATE_LIMIT
from chalicelib.services.escrow.desk import EscrowDesk
from chalicelib.services.escrow.reading import EscrowReading
from chalicelib.services.tenancy.rate_limiter import AnonymousUse, RateLimiter
from chalicelib.support.telemetry import add_log_members

ACCEPT, REJECT, PAID, REFUSED = "accept", "reject", "paid", "refused"
REFUSED_BY_BUYER = "refused on the page of the sandbox"
CONFLICT = 409
TITLES = {
    404: ("Not found", "There is no such page. The link may be incomplete."),
    429: ("Too many requests", "Wait a moment, then load the page again."),
    500: ("Something went wrong", "Load the page again in a moment, and look whether your choice was taken."),
}
FAULTS = Faults(Fault, no_route=lambda _: not_found(), unexpected=server_error())
_HOST = re.compile(r"[A-Za-z0-9.-]+")


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit of an order's page. payin: the order's latest one."""

    page: Page
    order: Order
    payin: Payin | None
    desk: OpenDesk

    @property
    def in_sandbox(self) -> bool:
        return self.order.scope.world is World.SANDBOX

    @property
    def form(self) -> Form | None:
        """What the page lets its visitor decide now."""
        token = form_token(self.page, self.order)
        if self.page is Page.SELLER and self.order.status is Status.PUBLISHED:
            about = "The order is paid. Accept it if you deliver; if you reject it, the shop gives the money back."
            return Form(token, about, ((ACCEPT, "Accept the order"), (REJECT, "Reject the order")))
        if self.page is Page.BUYER and self.in_sandbox and self._is_open_outside:
            about = "This is the sandbox: no money moves. Say what the payment provider would have said."
            return Form(token, about, ((PAID, "Paid"), (REFUSED, "Refused")))
        return None

    @property
    def back(self) -> str | None:
        """Where the merchant wants its visitor once the page's matter is decided: https, or http in the sandbox."""
        order, urls = self.order, self.order.callbacks
        url: str | None = None
        if order.status is Status.CANCELLED:
            return None
        if self.page is Page.BUYER:
            failed = order.status is Status.FAILURE
            url = urls.buyer_confirmed_url if order.is_paid else urls.buyer_denied_url if failed else None
        elif self.page is Page.SELLER:
            rejected = order.status is Status.REJECTED
            url = urls.seller_denied_url if rejected else urls.seller_confirmed_url if order.accepted_at_s else None
        return url if url is not None and self._is_allowed(url) else None

    def _is_allowed(self, url: str) -> bool:
        return urlsplit(url).scheme in (("https", "http") if self.in_sandbox else ("https",))

    @property
    def _is_open_outside(self) -> bool:
        return self.payin is not None and self.payin.is_external and self.payin.status is PayinStatus.CREATED

    @property
    def frames(self) -> list[str]:
        """The origins that may frame the page."""
        merchant = self.desk.merchant
        return [] if merchant is None else [one for one in merchant.frames if self._is_allowed(one)]

    @property
    def redirects(self) -> list[str]:
        """The origins to which the page's form may lead, for a browser checks them before it sends the form."""
        urls = self.order.callbacks
        named = {
            Page.BUYER: (urls.buyer_confirmed_url, urls.buyer_denied_url),
            Page.SELLER: (urls.seller_confirmed_url, urls.seller_denied_url),
        }.get(self.page, ())
        found = (_origin_of(url) for url in named if url is not None and self._is_allowed(url))
        return sorted({origin for origin in found if origin is not None})


@dataclass(frozen=True, slots=True)
class Pages:
    """open_desk: reads an active instance's desk, with one merchant. clock: Unix ms."""

    desk: EscrowDesk
    reading: EscrowReading
    open_desk: Callable[[str, str | None], OpenDesk | None]
    limiter: RateLimiter
    clock: Callable[[], int]

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer a request for a page; never raises."""
        return answered(PAGES, request, self._serve, FAULTS, fault_page)

    def _serve(self, route: Route[Auth], request: HttpRequest) -> HttpResponse:
        visit = self._visit(Page[route.endpoint.upper()], request)
        if request.method == "GET":
            return shown(visit, 200)
        return self._decide(visit, request)

    def _visit(self, page: Page, request: HttpRequest) -> Visit:
        """Return the visit that a link allows. Raises Fault: 429 for too many of one link, or of wrong ones; 404."""
        token = request.path_parameters["token"]
        order, now_ms = self.reading.order_behind(token), self.clock()
        desk = None if order is None else self.open_desk(order.scope.instance, order.scope.merchant)
        if order is None or desk is None or not page.opens(order, token):
            refusal = self.limiter.anonymous_refusal(AnonymousUse.NO_KEY, request.client_address, now_ms)
            raise too_many(refusal.retry_after_s) if refusal else not_found()
        instance, handle = order.scope.instance, str(handle_of(token))
        add_log_members(instance=instance)
        refusal = self.limiter.refusal(
            ESCROW_RATE_LIMIT, now_ms, instance=instance, key_id=f"link/{order.order_id}", scope=f"escrow/link/{handle}"
        )
        if refusal:
            raise too_many(refusal.retry_after_s)
        return self._visit_of(page, order, desk)

    def _visit_of(self, page: Page, order: Order, desk: OpenDesk) -> Visit:
        payin = None if order.payin_id is None else self.reading.payins(order.scope).one(order.payin_id)
        return Visit(page, order, payin if page is Page.BUYER else None, desk)

    def _decide(self, visit: Visit, request: HttpRequest) -> HttpResponse:
        """Carry out the choice of a form that fits the order as it is."""
        sent, form = _fields(request), visit.form
        if form is None or not is_form_token(visit.page, visit.order, sent.get("form_token", "")):
            return shown(visit, CONFLICT, "The order is no longer as that page showed it. Nothing was changed.")
        decision = sent.get("decision")
        if decision not in [value for value, _ in form.choices]:
            return shown(visit, INVALID, "Choose one of the buttons.")
        try:
            self._carry_out(visit, str(decision))
        except Forbidden:
            return shown(self._as_now(visit), CONFLICT, "The order has changed meanwhile. Nothing was changed by you.")
        after = self._as_now(visit)
        if after.back is not None and _origin_of(after.back) is not None:
            return HttpResponse(303, "", headers_of(after) | {"Location": quote(after.back, safe=_URL_CHARACTERS)})
        return shown(after, 200, "Your choice was taken.")

    def _carry_out(self, visit: Visit, decision: str) -> None:
        order, payin = visit.order, visit.payin
        if decision == ACCEPT:
            self.desk.accept(order.scope, order.order_id)
        elif decision == REJECT:
            self.desk.reject(order.scope, order.order_id)
        elif payin is not None and decision == PAID:
            self.desk.confirm_payin(order.scope, payin.payin_id, payin.amount)
        elif payin is not None:
            self.desk.deny_payin(order.scope, payin.payin_id, REFUSED_BY_BUYER)

    def _as_now(self, visit: Visit) -> Visit:
        order = self.reading.orders(visit.order.scope).one(visit.order.order_id)
        return self._visit_of(visit.page, order or visit.order, visit.desk)


_URL_CHARACTERS = "%/:=&?~#+!$,;'@()*[]"


def _fields(request: HttpRequest) -> Mapping[str, str]:
    """Return the texts of a form; nothing of what is none."""
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith((URLENCODED, MULTIPART)):
        return {}
    try:
        members = body_of(request.body, kind).members
    except UnreadableBody:
        return {}
    return {name: value for name, value in members.items() if isinstance(value, str)}


def _origin_of(url: str) -> str | None:
    """Return a URL's origin as a security policy names it; None where its host is not plain."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if not _HOST.fullmatch(host):
        return None
    return f"{parts.scheme}://{host}" + ("" if port is None else f":{port}")


def shown(visit: Visit, status: int, notice: str | None = None) -> HttpResponse:
    """Return the page of an order as it is."""
    content = order_page(Shown(visit.order, visit.payin, visit.form, notice, visit.back))
    error = str(status) if status >= 400 else ""
    return replace(HttpResponse(status, content, headers_of(visit)), error=error)


def headers_of(visit: Visit) -> dict[str, str]:
    return _headers(visit.redirects, visit.frames)


def _headers(redirects: list[str], frames: list[str]) -> dict[str, str]:
    """Return the headers of a page. redirects: origins that its form may lead to. frames: origins that may frame it."""
    policy = (
        "default-src 'none'",
        "img-src data:",
        "base-uri 'none'",
        " ".join(("form-action 'self'", *redirects)),
        " ".join(("frame-ancestors", *(frames or ["'none'"]))),
    )
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        "Content-Security-Policy": "; ".join(policy),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
        **({} if frames else {"X-Frame-Options": "DENY"}),
    }


def fault_page(fault: Fault) -> HttpResponse:
    """Return the page of a fault."""
    page = HttpResponse(fault.status, message_page(*TITLES[fault.status]), _headers([], []) | fault.headers)
    return replace(page, error=fault.name)
