"""What an endpoint wants, when a delivery is tried again, what signs it, and where it may go."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from chalicelib.domain.feed.event import PUBLIC, FeedEvent, customer_subject
from chalicelib.domain.tenancy.instances import World
from chalicelib.domain.webhooks.addresses import AddressRefused, Target, may_connect, target_of
from chalicelib.domain.webhooks.endpoint import Endpoint, Owner, is_type_pattern, merchant_owner, owner_of
from chalicelib.domain.webhooks.retries import ATTEMPTS_MAX, PAUSES_S, next_attempt_ms
from chalicelib.domain.webhooks.signing import secret_of, secrets_of, signed_headers

HOUR_S = 3600
MERCHANT = merchant_owner("inst_x", World.SANDBOX, "shop")


def event(event_type: str = "order.filled", *receivers: str) -> FeedEvent:
    return FeedEvent("inst_x", "book/ob_1", 7, "5a5a5a5a", 0, "depth", event_type, 1_000, frozenset(receivers), {})


OPERATOR = Owner("inst_x")


def endpoint(owner: Owner = OPERATOR, types: tuple[str, ...] = ("*",), **members: object) -> Endpoint:
    values: dict[str, object] = {"url": "https://example.com", "made_at_ms": 1_000}
    return Endpoint(owner=owner, endpoint_id="we_1", types=types, **values | members)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("types", "wanted"),
    [
        (("*",), ["order.filled", "trade.executed", "EscrowPublished"]),
        (("order.*",), ["order.filled"]),
        (("order.filled", "EscrowPublished"), ["order.filled", "EscrowPublished"]),
        (("order", "trade.exec"), []),
    ],
)
def test_an_endpoint_wants_the_types_that_it_names(types: tuple[str, ...], wanted: list[str]) -> None:
    names = ["order.filled", "trade.executed", "EscrowPublished"]
    assert [name for name in names if endpoint(types=types).wants(event(name))] == wanted


def test_an_operators_endpoint_gets_every_event_and_one_with_customers_only_theirs() -> None:
    of_ann, public = event("order.filled", customer_subject("ann")), event("trade.executed", PUBLIC)
    assert endpoint().wants(of_ann)
    assert endpoint().wants(public)
    assert endpoint(customers=("ben", "ann")).wants(of_ann)
    assert not endpoint(customers=("ben",)).wants(of_ann)
    assert not endpoint(customers=("ann",)).wants(public)


def test_a_merchants_endpoint_gets_what_its_world_receives_and_nothing_else() -> None:
    assert MERCHANT.subject is not None
    assert endpoint(MERCHANT).wants(event("EscrowPublished", MERCHANT.subject))
    for other in (merchant_owner("inst_x", World.PRODUCTION, "shop"), merchant_owner("inst_x", World.SANDBOX, "shop2")):
        assert other.subject is not None
        assert not endpoint(MERCHANT).wants(event("EscrowPublished", other.subject))
    assert not endpoint(MERCHANT).wants(event("trade.executed", PUBLIC))


@pytest.mark.parametrize("owner", [OPERATOR, MERCHANT])
def test_an_owner_is_read_back_from_its_key(owner: Owner) -> None:
    assert owner_of(owner.key) == owner


@pytest.mark.parametrize("text", ["", "**", "*.order", "order.", "order.*.x", "Order Filled", "1st", "a.b.c", "x" * 70])
def test_what_is_no_type_of_event_is_no_pattern(text: str) -> None:
    assert not is_type_pattern(text)


def test_a_delivery_has_ten_attempts_over_three_days_with_growing_pauses() -> None:
    assert ATTEMPTS_MAX == 10
    assert list(PAUSES_S) == sorted(set(PAUSES_S))
    now_ms, times = 0, []
    for attempts in range(1, ATTEMPTS_MAX):
        later_ms = next_attempt_ms(attempts, now_ms, 0.5)
        assert later_ms is not None
        times.append((later_ms - now_ms) / 1000)
        now_ms = later_ms
    assert times == [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
    assert 72 * HOUR_S <= now_ms / 1000 <= 78 * HOUR_S
    assert next_attempt_ms(ATTEMPTS_MAX, now_ms, 0.5) is None


def test_pauses_vary_by_a_tenth() -> None:
    assert [next_attempt_ms(2, 0, drawn) for drawn in (0.0, 0.5, 1.0)] == [270_000, 300_000, 330_000]


def test_a_receiver_can_ask_for_a_longer_pause_of_a_day_at_most_and_for_no_shorter_one() -> None:
    assert next_attempt_ms(1, 0, 0.5, retry_after_s=60) == 60_000
    assert next_attempt_ms(2, 0, 0.5, retry_after_s=60) == 300_000
    assert next_attempt_ms(1, 0, 0.5, retry_after_s=10**9) == 86_400_000


def test_the_official_library_verifies_what_is_signed_and_refuses_another_body_id_or_secret() -> None:
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    secret = secret_of(b"k" * 32, "we_1", 1)
    headers = signed_headers([secret], "evt_1", '{"name":"é"}'.encode(), now_ms)
    assert Webhook(secret).verify('{"name":"é"}'.encode(), headers) == {"name": "é"}
    for other, body, changed in [
        (secret, b'{"name":"e"}', headers),
        (secret, '{"name":"é"}'.encode(), headers | {"webhook-id": "evt_2"}),
        (secret_of(b"k" * 32, "we_2", 1), '{"name":"é"}'.encode(), headers),
        (secret_of(b"k" * 32, "we_1", 2), '{"name":"é"}'.encode(), headers),
    ]:
        with pytest.raises(WebhookVerificationError):
            Webhook(other).verify(body, changed)


def test_while_a_secret_is_rotated_the_one_before_it_signs_too() -> None:
    rotated, keys = endpoint(generation=3, previous_until_ms=5_000), [b"k" * 32]
    new, old = (secret_of(keys[0], "we_1", generation) for generation in (3, 2))
    assert secrets_of(rotated, keys, 4_999) == [new, old]
    assert secrets_of(rotated, keys, 5_000) == [new]
    assert secrets_of(endpoint(previous_until_ms=5_000), keys, 0) == [secret_of(keys[0], "we_1", 1)]


def test_while_the_master_key_is_rotated_secrets_of_both_sign() -> None:
    assert secrets_of(endpoint(), [b"n" * 32, b"o" * 32], 0) == [
        secret_of(b"n" * 32, "we_1", 1),
        secret_of(b"o" * 32, "we_1", 1),
    ]


REFUSED = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "127.0.0.1", "127.255.255.254",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.168.1.1", "198.18.0.1",
    "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "192.88.99.1",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b::808:808",
    "64:ff9b:1::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001::1",
    "2001:db8::1", "2002:7f00:1::1", "2002:808:808::1", "100::1", "3fff::1", "5f00::1", "4000::1",
]  # fmt: skip
ALLOWED = [
    "8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "11.0.0.1", "172.15.255.255", "172.32.0.1",
    "192.167.255.255", "192.169.0.1", "169.253.1.1", "223.255.255.255", "2606:4700::1111", "2a00:1450:4001::1",
    "2001:4860:4860::8888",
]  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
def test_no_connection_goes_to_an_address_that_is_not_public(address: str) -> None:
    assert not may_connect(address)


@pytest.mark.parametrize("address", ALLOWED)
def test_a_public_address_may_be_connected_to(address: str) -> None:
    assert may_connect(address)


def test_a_local_run_may_reach_loopback_addresses_and_no_others() -> None:
    local = [address for address in (*REFUSED, *ALLOWED) if may_connect(address, allows_local=True)]
    assert local == ["127.0.0.1", "127.255.255.254", "::1", *ALLOWED]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "https://",
        "https:///path",
        "https://user@example.com/",
        "https://user:word@example.com/",
        "https://example.com/#part",
        "https://example.com/a b",
        "https://example.com/\r\nhost: other",
        "https://exämple.com/",
        "https://example.com:0/",
        "https://example.com:65536/",
        "https://example.com:https/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[example]/",
        "https://10.0.0.1:8443/",
        f"https://example.com/{'x' * 1000}",
        "HTTPS://example.com/",
        "",
    ],
)
def test_what_is_no_https_url_to_a_public_address_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        target_of(url)


def test_a_url_is_read_into_its_parts() -> None:
    assert target_of("https://example.com") == Target(True, "example.com", 443, "/")
    assert target_of("https://example.com:8443/a?b=%20") == Target(True, "example.com", 8443, "/a?b=%20")
    assert target_of("https://example.com?b") == Target(True, "example.com", 443, "/?b")
    assert target_of("http://127.0.0.1:1234/x", allows_local=True) == Target(False, "127.0.0.1", 1234, "/x")
    assert target_of("https://[2606:4700::1111]:8443").host_header == "[2606:4700::1111]:8443"
    assert target_of("https://example.com:443").host_header == "example.com"
