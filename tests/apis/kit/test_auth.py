"""What a caller proves: a bearer credential, or a signature under the newest or the previous master key."""

from __future__ import annotations

import hmac
from collections.abc import Iterator

import pytest

from chalicelib.apis.kit.auth import bearer, is_signed, signature_of

MESSAGES = [b"as sent", b"in compact form"]


@pytest.mark.parametrize(
    ("header", "credential"),
    [
        ("Bearer key", "key"),
        ("bearer   key", "key"),
        (" BEARER key\t", "key"),
        ("Bearer", None),
        ("Bearer ", None),
        ("Bearerkey", None),
        ("Bearer two keys", None),
        ("Token key", None),
        ("key", None),
        ("", None),
    ],
)
def test_a_bearer_credential_is_one_word_after_the_scheme_in_any_letter_case(
    header: str, credential: str | None
) -> None:
    assert bearer({"authorization": header}) == credential
    assert bearer({}) is None


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("secret", ["newest", "previous"])
def test_a_signature_is_of_any_message_under_any_secret(message: bytes, secret: str) -> None:
    assert is_signed(signature_of(secret, message), MESSAGES, ["newest", "previous"])


@pytest.mark.parametrize(
    "signature",
    ["", "x", "\udc80", signature_of("another", MESSAGES[0]), signature_of("newest", b"another"), "QUJD" * 100],
)
def test_any_other_signature_is_refused(signature: str) -> None:
    assert not is_signed(signature, MESSAGES, ["newest", "previous"])
    assert not is_signed(signature, [], ["newest"])


def test_the_previous_secret_is_asked_for_only_where_the_newest_does_not_fit() -> None:
    asked: list[str] = []

    def secrets() -> Iterator[str]:
        for secret in ("newest", "previous"):
            asked.append(secret)
            yield secret

    assert is_signed(signature_of("newest", MESSAGES[1]), MESSAGES, secrets())
    assert asked == ["newest"]
    assert is_signed(signature_of("previous", MESSAGES[1]), MESSAGES, secrets())
    assert asked == ["newest", "newest", "previous"]


def test_every_message_is_compared_though_the_first_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time taken does not tell which message was signed."""
    compared: list[bytes] = []

    def compare(sent: bytes, expected: bytes) -> bool:
        compared.append(expected)
        return sent == expected

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert is_signed(signature_of("newest", MESSAGES[0]), MESSAGES, ["newest"])
    assert compared == [signature_of("newest", message).encode() for message in MESSAGES]
