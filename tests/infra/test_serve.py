"""The local HTTP server: every request is read completely or refused, never in part."""

from __future__ import annotations

import json
import logging
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from infra import http_reading, serve
from infra.http_reading import BODY_BYTES_MAX, CHUNK_MARKS_BYTES_MAX, HEAD_BYTES_MAX, HEADERS_MAX
from tests.infra.serving import ANSWER_S_MAX, CHUNKED, Gateway, answers, connected, post, sent, served, status_of

BYTES_MAX = 1000


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def address(gateway: Gateway) -> Iterator[tuple[str, int]]:
    with served(gateway) as address:
        yield address


def test_a_chunked_body_is_the_body(address: tuple[str, int], gateway: Gateway) -> None:
    received = sent(address, post("Transfer-Encoding: chunked", body=CHUNKED), post("Content-Length: 2", body=b"{}"))
    assert gateway.bodies == [b'{"amount":10}', b"{}"]
    assert answers(received) == 2
    assert "transfer-encoding" not in {name.lower() for name in gateway.requests[0][2]}


@pytest.mark.parametrize("cut", range(1, len(CHUNKED)))
def test_a_chunked_body_that_is_cut_short_is_never_carried_out(
    address: tuple[str, int], gateway: Gateway, cut: int
) -> None:
    received = sent(address, post("Transfer-Encoding: chunked", body=CHUNKED[:cut]))
    assert (status_of(received), answers(received)) == (400, 1)
    assert gateway.requests == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (["Content-Length: 13", "Transfer-Encoding: chunked"], 400),
        (["Transfer-Encoding: chunked", "Content-Length: 0"], 400),
        (["Content-Length: -1"], 400),
        (["Content-Length: +13"], 400),
        (["Content-Length: 1_3"], 400),
        (["Content-Length: 0x0d"], 400),
        (["Content-Length: 13.0"], 400),
        (["Content-Length: 1 3"], 400),
        (["Content-Length: \u00b9\u00b3"], 400),
        (["Content-Length:"], 400),
        (["Content-Length: 13, 13"], 400),
        (["Content-Length: 13", "Content-Length: 13"], 400),
        (["Content-Length: 0", "content-length: 13"], 400),
        (["Content-Length: 13,"], 400),
        (["Content-Length : 13"], 400),
        (["Content-Length\t: 13"], 400),
        (["X-Folded: a", " Content-Length: 13"], 400),
        (["Content-Length: 9223372036854775808"], 400),
        (["Content-Length: " + "9" * 400], 400),
        ([f"Content-Length: {BODY_BYTES_MAX + 1}"], 413),
        (["Transfer-Encoding: gzip, chunked"], 501),
        (["Transfer-Encoding: identity"], 501),
        (["Transfer-Encoding: xchunked"], 501),
        (["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], 501),
        (["Transfer-Encoding: chunked, identity"], 501),
        (["Transfer-Encoding: \x0bchunked"], 400),
        (["Expect: a-miracle", "Content-Length: 13"], 417),
        (["X-Null: a\x00b"], 400),
        (["X-Return: a\rb"], 400),
        (["no colon"], 400),
        ([": no name"], 400),
        (["Host: elsewhere"], 400),
    ],
    ids=repr,
)
def test_a_request_with_an_ambiguous_end_is_refused_and_nothing_after_it_is_read(
    address: tuple[str, int], gateway: Gateway, headers: list[str], status: int
) -> None:
    received = sent(address, post(*headers, body=b'{"amount":10}' + post()))
    assert status_of(received) == status
    assert b"\r\nConnection: close\r\n" in received
    assert json.loads(received.partition(b"\r\n\r\n")[2])["message"]
    assert answers(received) == 1
    assert gateway.requests == []


@pytest.mark.parametrize(
    "head",
    [
        post(),
        post("Content-Type: application/json"),
        post("Content_Length: 13"),
        post().replace(b"POST", b"DELETE"),
        post().replace(b"1.1", b"1.0"),
    ],
)
@pytest.mark.parametrize("body", [b'{"amount":10}', b"amount=10", CHUNKED, b"--part\r\n", b"\r\n[]", b"\x1f\x8b\x08"])
def test_a_body_that_is_not_announced_is_refused_before_anything_is_carried_out(
    address: tuple[str, int], gateway: Gateway, head: bytes, body: bytes
) -> None:
    received = sent(address, head + body + post())
    assert (answers(received), status_of(received), gateway.requests) == (1, 411, [])


@pytest.mark.parametrize("cut", range(1, len(post())))
def test_requests_without_a_body_may_follow_each_other_at_once(
    address: tuple[str, int], gateway: Gateway, cut: int
) -> None:
    assert answers(sent(address, post() + b"\r\n" + post()[:cut], post()[cut:])) == 2
    assert gateway.bodies == [None, None]


def test_a_length_beside_chunks_is_refused_even_where_the_chunks_are_whole(
    address: tuple[str, int], gateway: Gateway
) -> None:
    for length in (0, 1, len(CHUNKED)):
        received = sent(address, post("Transfer-Encoding: chunked", f"Content-Length: {length}", body=CHUNKED))
        assert (status_of(received), answers(received), gateway.requests) == (400, 1, [])


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET / HTTP/2.0", 505),
        (b"GET / HTTP/0.9", 505),
        (b"GET /", 400),
        (b"GET  / HTTP/1.1", 400),
        (b"GET relative HTTP/1.1", 400),
        (b"GET /a#b HTTP/1.1", 400),
        (b"GET http://here/a#b HTTP/1.1", 400),
        (b"GET http:///a HTTP/1.1", 400),
        (b"GET ftp://here/a HTTP/1.1", 400),
        (b"GET /\xc3\xa9 HTTP/1.1", 400),
        (b"G@T / HTTP/1.1", 400),
        (b"CONNECT here:443 HTTP/1.1", 400),
        (b"OPTIONS * HTTP/1.1", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ],
)
def test_an_invalid_request_line_is_refused(
    address: tuple[str, int], gateway: Gateway, request_line: bytes, status: int
) -> None:
    received = sent(address, request_line + b"\r\nHost: here\r\n\r\n")
    assert (status_of(received), answers(received), gateway.requests) == (status, 1, [])


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/orders?a=1", "/orders?a=1"),
        (b"http://here/orders?a=1", "/orders?a=1"),
        (b"HTTPS://here:8000/", "/"),
        (b"http://here", "/"),
        (b"http://here?a=1", "/?a=1"),
        (b"//orders", "/orders"),
        (b"http://here//orders", "/orders"),
        (b"/orders/a%2Fb?c=%3f", "/orders/a%2Fb?c=%3f"),
    ],
)
def test_a_target_is_taken_with_its_host_or_without(
    address: tuple[str, int], gateway: Gateway, target: bytes, path: str
) -> None:
    received = sent(address, b"GET " + target + b" HTTP/1.1\r\nHost: here\r\n\r\n")
    assert status_of(received) == 200
    assert [request[1] for request in gateway.requests] == [path]


def test_a_body_that_is_shorter_than_its_length_is_never_carried_out(
    address: tuple[str, int], gateway: Gateway
) -> None:
    received = sent(address, post("Content-Length: 14", body=b'{"amount":10}'))
    assert (status_of(received), gateway.requests) == (400, [])


@pytest.mark.parametrize("head", [b"", b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n{"])
def test_a_request_that_does_not_go_on_ends_in_time(
    address: tuple[str, int], gateway: Gateway, head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_reading, "REQUEST_S_MAX", 0.2)
    monkeypatch.setattr(http_reading, "IDLE_S_MAX", 0.2)
    received = sent(address, head, ends=False)
    assert received[:13] == (b"HTTP/1.1 408 " if head else b"")
    assert gateway.requests == []


def test_a_request_that_comes_a_byte_at_a_time_ends_in_time(
    address: tuple[str, int], gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_reading, "REQUEST_S_MAX", 0.3)
    sent_bytes = 0
    with connected(address) as client, suppress(OSError):
        while sent_bytes < BYTES_MAX:
            client.sendall(b"x")
            sent_bytes += 1
            time.sleep(0.01)
    assert sent_bytes < BYTES_MAX
    assert gateway.requests == []


def test_a_client_that_begins_tls_is_told_at_once_that_there_is_none(address: tuple[str, int]) -> None:
    written = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), written, server_hostname="localhost")
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    answer = sent(address, written.read(), ends=False)
    assert status_of(answer) == 400
    assert b"http://" in answer


def test_heads_have_a_bound(address: tuple[str, int], gateway: Gateway) -> None:
    assert status_of(sent(address, post("X-Long: " + "a" * HEAD_BYTES_MAX))) == 431
    assert status_of(sent(address, b"GET /" + b"a" * 3 * HEAD_BYTES_MAX)) == 431
    assert status_of(sent(address, post(*[f"X-{number}: a" for number in range(HEADERS_MAX)]))) == 431
    assert gateway.requests == []
    assert status_of(sent(address, post(*[f"X-{number}: a" for number in range(HEADERS_MAX - 1)]))) == 200


def test_bodies_have_a_bound_and_up_to_it_are_taken(address: tuple[str, int], gateway: Gateway) -> None:
    body = b"x" * BODY_BYTES_MAX
    assert status_of(sent(address, post(f"Content-Length: {len(body)}", body=body))) == 200
    chunk = b"%x\r\n" % len(body) + body + b"\r\n"
    assert status_of(sent(address, post("Transfer-Encoding: chunked", body=chunk + b"0\r\n\r\n"))) == 200
    assert gateway.bodies == [body, body]
    assert status_of(sent(address, post("Transfer-Encoding: chunked", body=chunk + b"1\r\nx\r\n0\r\n\r\n"))) == 413
    assert len(gateway.requests) == 2


@pytest.mark.parametrize("chunk", [b"1\r\nx\r\n", b"1;" + b"e" * 1000 + b"\r\nx\r\n"])
def test_chunks_that_are_little_but_marks_are_refused(address: tuple[str, int], gateway: Gateway, chunk: bytes) -> None:
    marks = len(chunk) - 1
    for bytes_of_marks, status in ((CHUNK_MARKS_BYTES_MAX // 2, 200), (2 * CHUNK_MARKS_BYTES_MAX, 413)):
        body = chunk * (bytes_of_marks // marks)
        with connected(address) as client:
            client.sendall(post("Transfer-Encoding: chunked", "Connection: close"))
            with suppress(OSError):
                client.sendall(body + b"0\r\n\r\n")
            assert status_of(client.recv(65536)) == status
    assert len(gateway.requests) == 1


def test_a_chunk_that_is_announced_too_large_is_refused_before_it_comes(
    address: tuple[str, int], gateway: Gateway
) -> None:
    for size in (b"F" * 17, b"%x" % (BODY_BYTES_MAX + 1)):
        received = sent(address, post("Transfer-Encoding: chunked", body=size + b"\r\nhello"), ends=False)
        assert (status_of(received), gateway.requests) == (413, [])


def test_a_client_that_waits_to_send_its_body_is_told_to_go_on_or_refused(
    address: tuple[str, int], gateway: Gateway
) -> None:
    with connected(address) as client:
        client.sendall(post("Expect: 100-Continue", "Content-Length: 13"))
        assert client.recv(1000) == b"HTTP/1.1 100 \r\n\r\n"
        client.sendall(b'{"amount":10}')
        assert status_of(client.recv(1000)) == 200
    refused = sent(address, post("Expect: 100-continue", f"Content-Length: {BODY_BYTES_MAX + 1}"))
    assert (status_of(refused), answers(refused)) == (413, 1)
    at_once = sent(address, post("Expect: 100-continue", "Content-Length: 2", body=b"{}"))
    without_body = sent(address, post("Expect: 100-continue"))
    assert (status_of(at_once), status_of(without_body)) == (200, 200)
    assert gateway.bodies == [b'{"amount":10}', b"{}", None]


def test_a_connection_stays_unless_the_client_closes_it_or_speaks_http_1_0(
    address: tuple[str, int], gateway: Gateway
) -> None:
    assert answers(sent(address, post() + post() + b"\r\n\r\n" + post())) == 3
    assert answers(sent(address, post("Connection: Upgrade", "Upgrade: h2c") + post())) == 2
    assert answers(sent(address, post("Connection: close") + post())) == 1
    assert answers(sent(address, b"GET / HTTP/1.0\r\n\r\n" + post())) == 1
    assert len(gateway.requests) == 7


def test_a_head_request_gets_no_body_and_of_a_repeated_header_the_first_counts(
    address: tuple[str, int], gateway: Gateway
) -> None:
    received = sent(address, b"HEAD / HTTP/1.1\r\nHost: here\r\nX-Name: one\r\nx-name: two\r\n\r\n")
    assert received.endswith(b"\r\n\r\n")
    assert gateway.requests[0][2] == {"Host": "here", "X-Name": "one"}


def test_an_app_that_fails_is_500_and_the_connection_stays(address: tuple[str, int], gateway: Gateway) -> None:
    gateway.answer = {"headers": None}
    assert answers(sent(address, post() + post())) == 2
    gateway.answer = {"statusCode": 204, "body": ""}
    received = sent(address, post())
    assert received.startswith(b"HTTP/1.1 204 ")
    assert b"Content-Length" not in received


def test_a_log_that_cannot_be_written_touches_no_answer(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_arguments: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(logging.getLogger("tests.requests"), "info", fails)
    assert status_of(sent(address, post())) == 200


def test_connections_above_the_bound_wait_until_one_ends(gateway: Gateway) -> None:
    with (
        served(gateway, connections_max=2) as address,
        connected(address) as first,
        connected(address) as other,
        connected(address) as late,
    ):
        for each in (first, other):
            each.sendall(post())
            assert each.recv(65536)
        late.sendall(post())
        late.settimeout(0.2)
        with pytest.raises(TimeoutError):
            late.recv(65536)
        first.close()
        late.settimeout(ANSWER_S_MAX)
        assert status_of(late.recv(65536)) == 200


def test_a_server_whose_connections_are_all_taken_stops_before_one_ends(gateway: Gateway) -> None:
    with ExitStack() as clients:
        with served(gateway, connections_max=1) as address:
            first, late = (clients.enter_context(connected(address)) for _ in range(2))
            first.sendall(post())
            assert first.recv(65536)
            late.sendall(post())
            time.sleep(0.1)  # until the server waits for a place for it
        first.settimeout(0.1)
        with pytest.raises(TimeoutError):
            first.recv(65536)


def test_a_server_that_stops_answers_what_is_at_work_and_begins_nothing_more() -> None:
    in_flight = serve.RequestsInFlight()
    with in_flight:
        stopping = threading.Thread(target=in_flight.stop, args=(ANSWER_S_MAX,))
        stopping.start()
        while not in_flight.stopping:
            time.sleep(0.001)
        with pytest.raises(serve.ServerStopping), in_flight:
            pass
        assert stopping.is_alive()
    stopping.join(ANSWER_S_MAX)
    assert not stopping.is_alive()
