"""Which requests the client repeats, and what it says of those whose outcome nobody knows (T138)."""

from __future__ import annotations

import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import pytest
import trustme
import urllib3

from chalicelib.apis.kit.http import HttpResponse
from tallybook_client import ApiError, OutcomeUnknown, Retries, TlsFailed, Unreachable, Unreadable
from tallybook_client.book.envelope import error_of
from tallybook_client.book.errors import CancelPending, InvalidQuantity, RateLimitExceeded, ServiceUnavailable
from tallybook_client.transport import Repeat, Request, Session, path_of
from tallybook_client.wire import member_of
from tests.client.http import BASE_URL, InProcess, Trouble

DONE = HttpResponse(200, '{"success": true, "data": 7}')
READ = Request("GET", "/x")
ONCE = Request("POST", "/x", key="key-0001")
TWICE = Request("POST", "/x", repeat=Repeat.IF_NOTHING_WAS_DONE)
ATTEMPTS = 5


def failure(status: int, code: str, retry_after: str | None = None) -> HttpResponse:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return HttpResponse(status, f'{{"success": false, "error": {{"code": "{code}", "message": "no"}}}}', headers)


BUSY, DOWN = failure(429, "RATE_LIMIT_EXCEEDED", "7"), failure(503, "SERVICE_UNAVAILABLE", "1")
PENDING, REFUSED = failure(503, "CANCEL_PENDING", "1"), failure(400, "INVALID_QUANTITY")
UNKNOWN, STRANGER = failure(500, "INTERNAL_ERROR"), failure(401, "AUTH_FAILED")


class Sending:
    """A session over scripted troubles, after which each request succeeds. Pauses pass on a clock of its own."""

    def __init__(self, *troubles: Trouble | HttpResponse, attempts: int = ATTEMPTS) -> None:
        self.http = InProcess(lambda _: DONE, troubles)
        self.pauses: list[float] = []
        self.session = Session(
            BASE_URL,
            lambda _: {},
            error_of,
            http=self.http,
            retries=Retries(attempts, within_s=60),
            pause=self.pauses.append,
            clock_s=lambda: sum(self.pauses),
        )

    def __call__(self, request: Request) -> int:
        """Return how many requests were sent until one succeeded."""
        assert self.session.send(request).data(int) == 7
        return len(self.http.sent)


@pytest.mark.parametrize("request_", [READ, ONCE], ids=["read", "write under a key"])
@pytest.mark.parametrize("trouble", [*Trouble, BUSY, DOWN, PENDING, UNKNOWN])
def test_reads_and_writes_under_a_key_are_repeated_after_whatever_may_pass(
    request_: Request, trouble: Trouble | HttpResponse
) -> None:
    assert Sending(trouble, trouble)(request_) == 3


@pytest.mark.parametrize("trouble", [Trouble.NO_CONNECTION, BUSY, DOWN])
def test_another_write_is_repeated_where_nothing_was_done(trouble: Trouble | HttpResponse) -> None:
    assert Sending(trouble, trouble)(TWICE) == 3


@pytest.mark.parametrize("trouble", [Trouble.LOST_BEFORE, Trouble.LOST_AFTER, Trouble.GATEWAY, UNKNOWN])
def test_another_write_that_may_have_been_carried_out_is_sent_once_and_its_outcome_is_unknown(
    trouble: Trouble | HttpResponse,
) -> None:
    sending = Sending(trouble)
    with pytest.raises(OutcomeUnknown) as unknown:
        sending(TWICE)
    assert (len(sending.http.sent), unknown.value.key, unknown.value.attempts) == (1, None, 1)


def test_another_write_that_is_queued_is_said_to_be_and_not_repeated() -> None:
    sending = Sending(PENDING)
    with pytest.raises(CancelPending):
        sending(TWICE)
    assert len(sending.http.sent) == 1


@pytest.mark.parametrize("last", [Trouble.NO_CONNECTION, BUSY, DOWN, STRANGER])
def test_a_write_under_a_key_stays_unknown_if_no_later_attempt_tells_of_the_lost_one(
    last: Trouble | HttpResponse,
) -> None:
    sending = Sending(Trouble.LOST_AFTER, *[last] * (ATTEMPTS - 1))
    with pytest.raises(OutcomeUnknown) as unknown:
        sending(ONCE)
    assert unknown.value.key == "key-0001"


def test_a_later_attempt_of_a_write_under_a_key_tells_of_the_lost_one() -> None:
    with pytest.raises(InvalidQuantity):
        Sending(Trouble.LOST_AFTER, REFUSED)(ONCE)


@pytest.mark.parametrize("request_", [READ, ONCE, TWICE])
@pytest.mark.parametrize("trouble", [REFUSED, STRANGER])
def test_a_refusal_that_stays_is_not_repeated(request_: Request, trouble: HttpResponse) -> None:
    sending = Sending(trouble)
    with pytest.raises(ApiError):
        sending(request_)
    assert len(sending.http.sent) == 1


@pytest.mark.parametrize(
    ("trouble", "error"), [(Trouble.NO_CONNECTION, Unreachable), (BUSY, RateLimitExceeded), (DOWN, ServiceUnavailable)]
)
@pytest.mark.parametrize("request_", [READ, ONCE, TWICE])
def test_what_lasts_is_raised_after_the_last_attempt(
    request_: Request, trouble: Trouble | HttpResponse, error: type[Exception]
) -> None:
    sending = Sending(*[trouble] * 9, attempts=3)
    with pytest.raises(error) as raised:
        sending(request_)
    assert (len(sending.http.sent), raised.value.attempts) == (3, 3)  # type: ignore[attr-defined]


def test_a_read_whose_answers_are_lost_is_unreachable() -> None:
    with pytest.raises(Unreachable):
        Sending(*[Trouble.LOST_AFTER] * ATTEMPTS)(READ)


def test_pauses_are_as_long_as_the_service_asks_else_they_grow() -> None:
    sending = Sending(BUSY, *[Trouble.LOST_BEFORE] * 3)
    sending(READ)
    assert sending.pauses[0] == 7
    assert all(0.5 <= pause / (0.1 * 2**attempt) <= 1 for attempt, pause in enumerate(sending.pauses[1:], 1))


def test_a_pause_that_would_end_too_late_is_not_begun() -> None:
    sending = Sending(failure(429, "RATE_LIMIT_EXCEEDED", "61"))
    with pytest.raises(RateLimitExceeded) as refused:
        sending(READ)
    assert (sending.pauses, refused.value.retry_after_s, refused.value.retryable) == ([], 61, True)


def test_credentials_are_made_anew_for_each_attempt() -> None:
    sending = Sending(Trouble.LOST_BEFORE)
    counted = iter("12")
    session = Session(BASE_URL, lambda _: {"Authorization": next(counted)}, error_of, http=sending.http)
    session.send(READ)
    assert [sent.headers["authorization"] for sent in sending.http.sent] == ["1", "2"]


def test_an_answer_of_another_form_is_unreadable_and_kept() -> None:
    with pytest.raises(Unreadable) as unreadable:
        Sending(HttpResponse(200, "<html>"))(READ)
    assert unreadable.value.body == b"<html>"
    with pytest.raises(Unreadable, match="has no ticket"):
        member_of({}, "ticket", str)
    with pytest.raises(ApiError) as not_the_desks:
        Sending(HttpResponse(404, "<html>"))(READ)
    assert (not_the_desks.value.status, not_the_desks.value.code) == (404, "")


def test_a_redirect_is_not_followed_so_nothing_goes_to_another_address() -> None:
    sending = Sending(HttpResponse(307, "", {"Location": "https://elsewhere.example/x"}))
    with pytest.raises(ApiError) as redirected:
        sending(TWICE)
    assert (redirected.value.status, len(sending.http.sent)) == (307, 1)


@pytest.fixture
def plain() -> Iterator[str]:
    """The address, with https, of a server without TLS."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing of requests that are none."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def closing() -> Iterator[str]:
    """The address, with https, of a server that closes each connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def close_each() -> None:
            with suppress(OSError):
                while True:
                    server.accept()[0].close()

        threading.Thread(target=close_each, daemon=True).start()
        yield f"https://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """The address of a server whose certificate nobody has vouched for; it redirects whoever asks all the same."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(307)
            self.send_header("Location", "http://127.0.0.1:9/")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_nothing_is_sent_to_a_server_without_a_valid_certificate(elsewhere: str) -> None:
    with pytest.raises(TlsFailed, match="no valid certificate") as refused:
        Session(elsewhere, lambda _: {}, error_of).send(TWICE)
    assert refused.value.attempts == 1


@pytest.mark.parametrize("request_", [READ, ONCE, TWICE])
def test_tls_at_a_plain_port_is_said_to_be_that_and_not_an_unknown_outcome(plain: str, request_: Request) -> None:
    with pytest.raises(TlsFailed, match="is it http:// there") as refused:
        Session(plain, lambda _: {}, error_of).send(request_)
    assert refused.value.attempts == 1


def test_a_write_whose_connection_ends_before_tls_stands_was_not_carried_out(closing: str) -> None:
    with pytest.raises(Unreachable, match="is it http:// there") as refused:
        Session(closing, lambda _: {}, error_of, pause=lambda _: None).send(TWICE)
    assert (refused.value.attempts, type(refused.value)) == (ATTEMPTS, Unreachable)


def test_a_redirect_over_the_network_is_not_followed_either(elsewhere: str) -> None:
    trusting = urllib3.PoolManager(cert_reqs="CERT_NONE", assert_hostname=False)
    session = Session(elsewhere, lambda _: {}, error_of, http=trusting)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ApiError) as redirected:
            session.send(TWICE)
    assert redirected.value.status == 307


@pytest.mark.parametrize("name", [".", ".."])
def test_a_name_of_dots_stays_within_its_part_of_the_path(name: str) -> None:
    path = path_of("/customers/{ref}/orders", ref=name)
    assert unquote(urllib3.util.parse_url(BASE_URL + path).path) == f"/customers/{name}/orders"


def test_an_empty_id_is_refused_and_reaches_no_list() -> None:
    with pytest.raises(ValueError, match="empty"):
        path_of("/customers/{ref}/orders", ref="")


@pytest.mark.parametrize("attempts", [0, -1])
def test_no_attempt_at_all_is_refused(attempts: int) -> None:
    with pytest.raises(ValueError, match="attempts"):
        Retries(attempts=attempts)


def test_nothing_answers_at_a_port_where_nothing_listens() -> None:
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
        Session("http://127.0.0.1:9", lambda _: {}, error_of, retries=Retries(attempts=1)).send(TWICE)


@pytest.mark.parametrize(
    "address", ["", "localhost:8000", "venue.example", "ftp://venue.example", "http://", "http://h:x"]
)
def test_an_address_to_which_nothing_can_be_sent_is_refused_before_any_request(address: str) -> None:
    with pytest.raises(ValueError, match="must be http:// or https:// and a host"):
        Session(address, lambda _: {}, error_of)
