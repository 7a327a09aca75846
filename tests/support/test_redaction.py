"""Credentials are found in what a request sends, and masked in whatever a log line holds."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from chalicelib.support.redaction import HIDDEN, SECRETS_MAX, masked, secrets_of, shortened


@pytest.mark.parametrize("path", ["/b/{}", "/2.0/s/{}", "//2.0//q//{}/", "/dev/2.0/b/{}?x=1"])
def test_the_token_in_a_pages_path_is_masked_below_any_prefix(path: str) -> None:
    token = "tok_0123456789"
    text = masked({"path": path.format(token)}, secrets_of({}, b"", path.format(token)))["path"]
    assert text == path.format(f"{HIDDEN}6789")


def test_credentials_are_found_in_headers_and_bodies_and_shown_by_their_last_four_characters() -> None:
    headers = {"authorization": "Bearer sk_stage_SSSSabcd", "x-api-key": "short", "prefer": "wait=1, handling=x"}
    secrets = secrets_of(headers, b'{"signature": "0x12345678", "name": "signature of ann"}')
    assert secrets == ["Bearer sk_stage_SSSSabcd", "sk_stage_SSSSabcd", "0x12345678"]
    text = "sk_stage_SSSSabcd, 0x12345678, Bearer sk_stage_SSSSabcd"
    assert masked(text, secrets) == "***abcd, ***5678, ***abcd"


@pytest.mark.parametrize("quoted", [str, repr, json.dumps])
def test_a_credential_is_found_however_a_text_quotes_it(quoted: Callable[[str], str]) -> None:
    secret = "quo'te\\and-\u00fc-umlaut"
    assert "te" not in masked(f"sent: {quoted(secret)}", [secret]).removeprefix("sent: ")


def test_whatever_a_line_holds_is_masked_but_numbers_and_the_names_of_its_members() -> None:
    line = {"order": 7, "secret-1": ["a secret-1", {"b": ("secret-1", None, True)}, ValueError("secret-1")]}
    shown = {"order": 7, "secret-1": ["a ***et-1", {"b": ["***et-1", None, True]}, "***et-1"]}
    assert masked(line, ["secret-1"]) == shown


def test_texts_of_a_request_with_too_many_credentials_are_left_out() -> None:
    secrets = secrets_of({"authorization": " ".join(f"secret-{number}" for number in range(SECRETS_MAX))}, b"")
    assert len(secrets) == SECRETS_MAX + 1
    assert masked({"message": "secret-1 is bad", "level": "ERROR", "n": 12345678}, secrets) == {
        "message": HIDDEN,
        "level": "ERROR",
        "n": 12345678,
    }


def test_a_digest_is_shown_by_its_beginning() -> None:
    assert (shortened("ab" * 32), shortened("key_1")) == ("ab" * 6, "key_1")
