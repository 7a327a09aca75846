"""Requests over open connections: as the SDK sends them, with its answers and its errors, whatever the server does."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError, SSLError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chalicelib.tables.wire import call_lightly, write_directly

READ_TIMEOUT_S, CLOSED_S_MAX = 0.5, 10
ITEM = {"Item": {"owner": {"S": "ann"}, "n": {"N": "1"}}}
Reply = bytes | None
"""What is sent; None: nothing, until the client gives up."""


def answer(body: Any, status: str = "200 OK", *headers: str) -> bytes:
    content = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/x-amz-json-1.0", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + content


def chunked(body: Any) -> bytes:
    content = json.dumps(body).encode()
    parts = b"".join(b"%x;x=y\r\n%s\r\n" % (len(part), part) for part in (content[:5], content[5:]))
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + parts + b"0\r\nTrailer: x\r\n\r\n"


class Server:
    """Answers each request with what ``replies`` returns for its number, from 1; b"" after it closes a connection."""

    def __init__(self) -> None:
        self.replies: Callable[[int], tuple[Reply, bool]] = lambda _number: (answer(ITEM), True)
        """Returns what is sent, and whether the connection stays open after it."""
        self.connections = 0
        self.tls: ssl.SSLContext | None = None
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        if self.tls is not None:
            try:
                connection = self.tls.wrap_socket(connection, server_side=True)
            except ssl.SSLError:
                return
        with connection, connection.makefile("rb") as stream:
            while first := stream.readline():
                headers = {}
                while (line := stream.readline().strip()) != b"":
                    name, _, value = line.decode().partition(": ")
                    headers[name] = value
                body = stream.read(int(headers["Content-Length"]))
                self.requests.append((first.decode().strip(), headers, body))
                reply, stays_open = self.replies(len(self.requests))
                if reply is not None:
                    connection.sendall(reply)
                if not stays_open:
                    return


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def client_of(server: Server, *, direct: bool = True, verify: str | None = None, **more: Any) -> Any:
    config = Config(retries={"total_max_attempts": 1}, read_timeout=READ_TIMEOUT_S, **more)
    client: Any = boto3.client(
        "dynamodb", endpoint_url=server.url, region_name="us-east-1", config=config, verify=verify
    )
    if direct:
        write_directly(client)
    return client


def get(client: Any) -> Any:
    answer = client.get_item(TableName="any", Key={"owner": {"S": "ann"}})
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def sends_of(client: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of requests that urllib3 sends from now on."""
    sent: list[str] = []
    session = client._endpoint.http_session._session
    send = session.send
    monkeypatch.setattr(session, "send", lambda request: sent.append(request.url) or send(request))
    return sent


def test_a_connection_is_opened_by_the_sdk_and_used_without_it(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of(server)
    sent = sends_of(client, monkeypatch)
    assert [get(client) for _ in range(5)] == [ITEM] * 5
    assert (server.connections, len(sent)) == (1, 1)


def test_one_open_connection_serves_every_path_of_its_host(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    client: Any = boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=f"{server.url}/prod",
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=READ_TIMEOUT_S),
    )
    call_lightly(client)
    sent = sends_of(client, monkeypatch)
    for name in ("a=", "b=", "c="):
        client.post_to_connection(ConnectionId=name, Data=b"hello")
    assert (server.connections, len(sent)) == (1, 1)
    assert [first.split(" ")[1] for first, _, _ in server.requests] == [
        f"/prod/@connections/{name}%3D" for name in ("a", "b", "c")
    ]


def test_requests_are_those_of_the_sdk(server: Server) -> None:
    for direct in (True, False):
        client = client_of(server, direct=direct)
        get(client)
        get(client)
    varying = ("Authorization", "X-Amz-Date", "User-Agent", "amz-sdk-invocation-id")
    seen = []
    for first, headers, body in server.requests:
        assert set(varying) < headers.keys()
        seen.append((first, {name: headers[name] for name in headers if name not in varying}, json.loads(body)))
    assert seen[1:] == seen[:-1]
    assert [headers["Authorization"].rpartition("Signature=")[0] for _, headers, _ in server.requests[1:]] == [
        headers["Authorization"].rpartition("Signature=")[0] for _, headers, _ in server.requests[:-1]
    ]


def test_an_answer_may_come_in_chunks(server: Server) -> None:
    client = client_of(server)
    get(client)
    server.replies = lambda _number: (chunked(ITEM), True)
    assert [get(client), get(client)] == [ITEM, ITEM]
    assert server.connections == 1


def test_a_refusal_is_the_sdks(server: Server) -> None:
    client = client_of(server)
    get(client)
    body = {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "message": "no", **ITEM}
    server.replies = lambda _number: (answer(body, "400 Bad Request"), True)
    with pytest.raises(client.exceptions.ConditionalCheckFailedException) as refused:
        get(client)
    response: Any = refused.value.response
    assert response["Item"] == ITEM["Item"]
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    server.replies = lambda _number: (answer({}, "500 Internal Server Error"), True)
    with pytest.raises(ClientError):
        get(client)
    assert server.connections == 1


WHOLE = answer(ITEM)
CUT = {
    "nothing": b"",
    "in the status": WHOLE[:10],
    "in the headers": WHOLE[:30],
    "in the content": WHOLE[:-5],
    "in a chunk": chunked(ITEM)[:60],
    "no HTTP": b"hello\r\n\r\n",
    "no length": b"HTTP/1.1 200 OK\r\n\r\n{}",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}",
}


@pytest.mark.parametrize("cut", CUT.values(), ids=CUT)
def test_an_answer_that_is_cut_is_none_and_the_next_request_has_another_connection(server: Server, cut: bytes) -> None:
    client = client_of(server)
    get(client)
    server.replies = lambda number: (cut, False) if number == 2 else (WHOLE, True)
    with pytest.raises(ConnectionClosedError):
        get(client)
    assert get(client) == ITEM
    assert server.connections == 2


def test_a_late_answer_is_not_taken_for_that_of_the_next_request(server: Server) -> None:
    client = client_of(server)
    get(client)
    server.replies = lambda number: (None, True) if number == 2 else (WHOLE, True)
    with pytest.raises(ReadTimeoutError):
        get(client)
    assert get(client) == ITEM
    assert server.connections == 2


@pytest.mark.parametrize("headers", [(), ("Connection: close",)], ids=["without a word", "as it said"])
def test_a_connection_that_the_server_has_closed_is_opened_again(server: Server, headers: tuple[str, ...]) -> None:
    client = client_of(server)
    get(client)
    server.replies = lambda number: (answer(ITEM, "200 OK", *headers), False) if number == 2 else (WHOLE, True)
    assert get(client) == ITEM
    connection = client._endpoint.http_session._pool(f"{server.url}/").pool.queue[-1]
    deadline_s = time.monotonic() + CLOSED_S_MAX
    while connection is not None and connection.is_connected:
        assert time.monotonic() < deadline_s
        time.sleep(0.001)
    assert [get(client), get(client)] == [ITEM, ITEM]
    assert server.connections == 2


def test_a_request_through_a_proxy_is_the_sdks(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of(server, proxies={"http": server.url})
    sent = sends_of(client, monkeypatch)
    assert [get(client), get(client)] == [ITEM, ITEM]
    assert len(sent) == 2
    assert server.requests[0][0].startswith("POST http://")


def test_tls_is_the_sdks_and_its_connections_are_kept(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    write_certificate(key, certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.tls = context
    server.url = server.url.replace("http://127.0.0.1", "https://localhost")
    client = client_of(server, verify=str(certificate))
    sent = sends_of(client, monkeypatch)
    assert [get(client) for _ in range(3)] == [ITEM] * 3
    assert (server.connections, len(sent)) == (1, 1)
    with pytest.raises(SSLError):
        get(client_of(server))


def write_certificate(key_file: Path, certificate_file: Path) -> None:
    """Write a key and a certificate of its own for localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, no_password = serialization.Encoding.PEM, serialization.NoEncryption()
    key_file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, no_password))
    certificate_file.write_bytes(certificate.public_bytes(pem))


def test_threads_have_connections_of_their_own(server: Server) -> None:
    client = client_of(server, max_pool_connections=4)
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.extend(get(client) for _ in range(50))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [ITEM] * 200
    assert server.connections <= 4
