"""Tokens in the links of an order's pages: 32 letters and digits, of which the first 10 find the order.

These are the same in an order's three links; the other 22 (131 random bits) are each link's secret, compared in
constant time. A form carries a token of its own, made from the link's and the order's version: it fits one state of one
order, and nobody makes it without the link.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from enum import Enum

from chalicelib.domain.escrow.order import Links, Order

HANDLE_CHARACTERS, SECRET_CHARACTERS = 10, 22
_TOKEN = re.compile(rf"[A-Za-z0-9]{{{HANDLE_CHARACTERS + SECRET_CHARACTERS}}}", re.ASCII)


class Page(Enum):
    """An order's pages, by the first segment of their paths. BUYER pays, SELLER accepts or rejects, QR only shows."""

    BUYER = "b"
    SELLER = "s"
    QR = "q"

    def token_of(self, links: Links) -> str:
        return {Page.BUYER: links.buyer, Page.SELLER: links.seller, Page.QR: links.qr}[self]

    def opens(self, order: Order, token: str) -> bool:
        """Return whether a token is that of this page of the order."""
        return hmac.compare_digest(self.token_of(order.links).encode(), token.encode())


def handle_of(token: str) -> str | None:
    """Return the part of a token that finds the order; None for what is no token."""
    return token[:HANDLE_CHARACTERS] if _TOKEN.fullmatch(token) else None


def form_token(page: Page, order: Order) -> str:
    """Return the token of a form on a page of the order as it is now."""
    secret, state = page.token_of(order.links), f"form/{page.value}/{order.order_id}/{order.version}"
    return hmac.new(secret.encode(), state.encode(), hashlib.sha256).hexdigest()


def is_form_token(page: Page, order: Order, sent: str) -> bool:
    return hmac.compare_digest(form_token(page, order).encode(), sent.encode())
