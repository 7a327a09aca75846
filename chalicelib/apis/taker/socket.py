"""The taker desk's WebSocket: a taker, or a maker, connects and says which messages it wants (K46 to K49).

A client is authenticated as a request of its kind is: a taker by its key, with a signature where there is one, over the
documented path, wherever the connection is made; a maker by its JWT, in a header or, from a browser, as a subprotocol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.apis.kit.http import HttpRequest
from chalicelib.apis.kit.sockets import Opened, Opening
from chalicelib.apis.taker.envelope import Error, Fault, failure, invalid
from chalicelib.apis.taker.gate import Caller, Gate, Known
from chalicelib.apis.taker.socket_messages import MAKER_DESK, TAKER_DESK, Type
from chalicelib.domain.feed.cursor import Cursor, UnreadableCursor, cursor_of
from chalicelib.domain.feed.event import ALL_TAKERS, maker_subject, taker_subject
from chalicelib.domain.feed.subscription import Subscription, TooManyConnections
from chalicelib.domain.signed.order import customer_of
from chalicelib.services.push.sessions import CursorUnusable, Sessions

PROTOCOL, JWT = "sec-websocket-protocol", "jwt"
GONE_MESSAGE = "The cursor is too old, or of other tables. Read anew what you keep, then connect without it"


@dataclass(frozen=True, slots=True)
class Audience:
    """Who connects at a path. desk: as connections name it. types: of messages that there are for it.

    enter: authenticates a request, at this time in Unix ms. subjects_of: whose events an address receives.
    """

    desk: str
    path: str
    types: tuple[Type, ...]
    enter: Callable[[HttpRequest, int, Known], Caller]
    subjects_of: Callable[[str], tuple[str, ...]]


def audiences(gate: Gate) -> list[Audience]:
    """Return takers and makers."""
    return [
        Audience(
            TAKER_DESK, "/ws/taker/v1", tuple(Type), gate.taker, lambda address: (ALL_TAKERS, taker_subject(address))
        ),
        Audience(
            MAKER_DESK,
            "/ws/maker/v1",
            (Type.ORDER_STATUS_CHANGE,),
            gate.maker,
            lambda address: (maker_subject(address),),
        ),
    ]


@dataclass(frozen=True, slots=True)
class SignedOrderSocket:
    """Serves the connections of an audience (``kit.sockets.SocketDesk``).

    start: has a connection begin once it is open, in a call of its own. clock_ms: Unix ms.
    """

    audience: Audience
    sessions: Sessions
    start: Callable[[str], None]
    clock_ms: Callable[[], int]

    def connect(self, opening: Opening) -> Opened:
        """Let a client in whose credential is good, and who wants messages that there are."""
        callers: list[Caller] = []
        try:
            self._let_in(opening, callers.append)
        except Fault as fault:
            has_object = any(caller.settings.has_details_object for caller in callers)
            answer = failure(fault, has_details_object=has_object)
            return Opened(answer.status, answer.body, answer.headers)
        self.start(opening.connection_id)
        return Opened(200, headers={"Sec-WebSocket-Protocol": JWT} if token_in(opening.headers) else {})

    def message(self, connection_id: str, content: bytes) -> None:
        """Do nothing: clients have nothing to say (K49)."""

    def _let_in(self, opening: Opening, known: Known) -> None:
        """Store the connection, and its subscription. Raises Fault."""
        caller = self.audience.enter(self._request(opening), self.clock_ms(), known)
        types, resume = (
            types_in(opening.query.get("types", ""), self.audience.types),
            _cursor(opening.query.get("after")),
        )
        subjects = self.audience.subjects_of(customer_of(caller.address))
        desk, owner = self.audience.desk, f"{caller.instance}/{subjects[-1]}"
        try:
            opened = self.sessions.open(opening.connection_id, desk, caller.instance, subjects[-1], owner)
        except TooManyConnections as error:
            raise Fault(Error.TOO_MANY_REQUESTS, "Too many connections") from error
        wanted = Subscription(
            connection_id=opening.connection_id,
            desk=desk,
            name=",".join(types),
            instance=caller.instance,
            subjects=subjects,
            book_id=None,
            beats=True,
            cursor=Cursor(),
            next_id=1,
            expires_s=opened.expires_s,
            credential=caller.credential,
        )
        try:
            self.sessions.prepare(wanted, resume)
        except Exception as error:
            self.sessions.close(opening.connection_id)  # no event tells that a connection is gone which never was
            if isinstance(error, CursorUnusable):
                raise Fault(Error.CURSOR_GONE, GONE_MESSAGE) from error
            raise

    def _request(self, opening: Opening) -> HttpRequest:
        """Return what the gate checks. Its path is the documented one, wherever the connection is made (K47)."""
        token = token_in(opening.headers)
        headers = {**({"authorization": f"Bearer {token}"} if token else {}), **opening.headers}
        query = {name: [value] for name, value in opening.query.items()}
        return HttpRequest("GET", None, {}, query, headers, b"", self.audience.path, opening.client_address)


def types_in(text: str, known: Sequence[Type]) -> list[Type]:
    """Return the types that a client names. known: those that there are for it. Raises Fault."""
    named = [name.strip() for name in text.split(",") if name.strip()]
    if not named or any(name not in known for name in named):
        raise invalid({"types": f"must be a list with commas of {', '.join(known)}"})
    return [one for one in known if one in named]


def token_in(headers: Mapping[str, str]) -> str:
    """Return the JWT that a browser's client sends as its second subprotocol; empty if it sends none."""
    name, _, token = headers.get(PROTOCOL, "").partition(",")
    return token.strip() if name.strip() == JWT else ""


def _cursor(text: str | None) -> Cursor | None:
    """Return where a client was. Raises Fault."""
    try:
        return cursor_of(text) if text else None
    except UnreadableCursor as error:
        raise invalid({"after": "must be the cursor of an earlier message"}) from error
