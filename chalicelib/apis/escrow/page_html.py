"""The HTML of an order's pages: what people read and the forms that they send. Every text is escaped. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from chalicelib.domain.escrow.lifecycle import Status
from chalicelib.domain.escrow.money import money_text
from chalicelib.domain.escrow.order import Order
from chalicelib.domain.escrow.payments import Payin, PayinStatus, PayinType
from chalicelib.support.clock import iso_seconds

SAID = {
    Status.DRAFT: "Not paid yet",
    Status.PENDING_DETAILS: "Not paid yet",
    Status.PENDING_PUBLISH: "Waiting for the payment",
    Status.FAILURE: "The payment failed",
    Status.PUBLISHED: "Paid, waiting for the seller",
    Status.ACCEPTED: "Paid and accepted by the seller",
    Status.REJECTED: "Rejected by the seller",
    Status.PENDING_VALIDATE: "Paid and accepted by the seller",
    Status.PENDING_RELEASE: "About to be paid out to the seller",
    Status.BLOCKED_RELEASE: "Paid, and held for a check",
    Status.CANCELLED: "Cancelled",
    Status.RELEASED: "Paid out to the seller",
}
"""What people read of a status."""


@dataclass(frozen=True, slots=True)
class Form:
    """A choice that the page offers. token: goes with the request. choices: value and label of each button."""

    token: str
    about: str
    choices: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A page about an order. notice: what has just happened. back: where the merchant wants its visitor."""

    order: Order
    payin: Payin | None = None
    form: Form | None = None
    notice: str | None = None
    back: str | None = None


def order_page(shown: Shown) -> str:
    """Return the page of an order."""
    order = shown.order
    parts = [] if shown.notice is None else [f'<p role="status"><strong>{escape(shown.notice)}</strong></p>']
    parts.append(_facts(_order_facts(order)))
    if shown.payin is not None:
        parts += _payin(shown.payin)
    if shown.form is not None:
        parts.append(_form(shown.form))
    if shown.back is not None:
        parts.append(f'<p><a href="{escape(shown.back)}" rel="noreferrer">Back to the shop</a></p>')
    return _page(order.name, "".join(parts))


def message_page(title: str, text: str) -> str:
    """Return a page that is about no order."""
    return _page(title, f"<p>{escape(text)}</p>")


def _page(title: str, content: str) -> str:
    """Return a whole page. title: its heading, isolated from the direction of the text around it."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="icon" href="data:,"></head>'
        f'<body><main><h1 dir="auto">{escape(title)}</h1>{content}</main></body></html>'
    )


def _order_facts(order: Order) -> Iterable[tuple[str, str]]:
    yield "Amount", money_text(order.value, order.currency)
    yield "Shop", order.scope.merchant
    yield "Order", order.public_id
    yield "Status", SAID[order.status]
    if order.published_at_s is not None:
        yield "Paid at", iso_seconds(order.published_at_s)
    if order.refunds:
        yield "Held of it now", money_text(order.hold, order.currency)


def _payin(payin: Payin) -> Iterable[str]:
    """Yield how an open payin is paid."""
    if payin.status is not PayinStatus.CREATED:
        return
    yield "<h2>How to pay</h2>"
    if payin.type == PayinType.BANKWIRE:
        yield "<p>Send the amount by bank transfer, with the reference:</p>"
        yield _facts(
            (label, value)
            for label, value in (
                ("IBAN", payin.iban),
                ("Beneficiary", payin.beneficiary),
                ("Reference", payin.reference),
            )
            if value is not None
        )
    else:
        yield f"<p>The payment is made with {escape(payin.type)}, reference {escape(payin.reference)}.</p>"


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    rows = "".join(f'<dt>{escape(name)}</dt><dd dir="auto">{escape(value)}</dd>' for name, value in facts)
    return f"<dl>{rows}</dl>"


def _form(form: Form) -> str:
    buttons = " ".join(
        f'<button type="submit" name="decision" value="{escape(value)}">{escape(label)}</button>'
        for value, label in form.choices
    )
    return (
        f'<form method="post"><input type="hidden" name="form_token" value="{escape(form.token)}">'
        f"<p>{escape(form.about)}</p><p>{buttons}</p></form>"
    )
