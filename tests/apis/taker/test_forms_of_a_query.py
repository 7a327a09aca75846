"""The forms in which a query that was signed may have been written (K5, K44); see also ``test_keys_and_sessions``."""

from __future__ import annotations

from urllib.parse import parse_qs, quote, urlencode, urlsplit

import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chalicelib.apis.taker.signature import query_forms


def test_repeated_parameters_stay_in_their_order_and_values_are_encoded_by_rfc_3986() -> None:
    query = parse_qs("b=2&a=x+y&b=1/~&c=", keep_blank_values=True)
    forms = query_forms(query)
    for form in (
        b"b=2&b=1/~&a=x y&c=",
        b"b=2&b=1%2F~&a=x%20y&c=",
        b"a=x y&b=2&b=1/~&c=",
        b"a=x%20y&b=2&b=1%2F~&c=",
    ):
        assert forms.count(form) == 1
    assert not any(form.index(b"b=1") < form.index(b"b=2") for form in forms)


letters = st.sampled_from("a1&=+%#;,:/?@!$'()*[]~ \u00e9\U0001f600") | st.characters(codec="utf-8")
pairs = st.lists(st.tuples(st.sampled_from("abc"), st.text(letters, max_size=8)), max_size=4)


@settings(max_examples=200, deadline=None)
@given(pairs=pairs)
@example(pairs=[("a", "1& 2=3")])
@example(pairs=[("a", "1+ 2"), ("b", "%41")])
def test_every_form_but_the_undecoded_one_says_the_same(pairs: list[tuple[str, str]]) -> None:
    """K44: so nobody can make a signed text stand for another query."""
    query: dict[str, list[str]] = {}
    for name, value in pairs:
        query.setdefault(name, []).append(value)
    forms = query_forms(query)
    received = [(name, value) for name, values in query.items() for value in values]
    undecoded = {"&".join(f"{n}={v}" for n, v in order).encode() for order in (received, sorted(received, key=_name))}
    assert len(forms) <= 2 + 2 * 4 * 9
    for form in set(forms) - undecoded:
        assert parse_qs(form.decode(), keep_blank_values=True) == query


def _name(pair: tuple[str, str]) -> str:
    return pair[0]


@settings(max_examples=200, deadline=None)
@given(pairs=pairs)
def test_what_pythons_libraries_write_is_among_the_forms(pairs: list[tuple[str, str]]) -> None:
    query: dict[str, list[str]] = {}
    for name, value in pairs:
        query.setdefault(name, []).append(value)
    received = [(name, value) for name, values in query.items() for value in values]
    written = {
        urlencode(received),
        urlencode(received, quote_via=quote, safe=""),
        urlsplit(requests.Request("GET", "https://host/", params=received).prepare().url or "").query,
    }
    forms = query_forms(query)
    assert all(text.encode() in forms for text in written)
