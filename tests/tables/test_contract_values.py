"""The contract with DynamoDB, on the engines that tests use (``test_contract``): numbers, sizes and keys of rows."""

from __future__ import annotations

import pytest

from chalicelib.tables.rows import Row, encode
from tests.tables.engines import INVALID, Deviations, Engine, code_of, expressions

LARGEST = 10**38 - 1
ITEM_BYTES_MAX = 400 * 1024

_NUMBER = "test_a_number_that_cannot_be_stored_is_refused"
_KEY_READ = "test_nothing_is_read_at_a_key_that_does_not_fit"
_KEY_WRITTEN = "test_nothing_is_written_at_a_key_that_does_not_fit"

DEVIATIONS: Deviations = {
    "moto": {
        "test_a_number_has_one_spelling": "keeps the spelling that it was given",
        "test_zeros_around_38_digits_do_not_count": "keeps the spelling that it was given",
        f"{_NUMBER}[39 digits]": "stores it",
        f"{_NUMBER}[39 decimals]": "stores it",
        f"{_NUMBER}[too large]": "stores it",
        f"{_NUMBER}[too small]": "an update stores it",
        f"{_NUMBER}[empty]": "an update stores it",
        f"{_NUMBER}[no digits]": "an update stores it",
        f"{_NUMBER}[spelled as in Python]": "stores it",
        "test_a_row_of_400_kb_is_stored_and_one_byte_more_is_not": "its limit is 405,000 bytes",
        "test_an_update_beyond_400_kb_is_refused": "its limit is 405,000 bytes",
        "test_an_update_counts_what_it_replaces_no_more": "adds the new value to the old row's size",
        f"{_KEY_WRITTEN}[empty sort key]": "an update stores it",
        f"{_KEY_WRITTEN}[empty key]": "an update stores it",
        f"{_KEY_READ}[of another type]": "finds nothing",
        f"{_KEY_READ}[empty sort key]": "a delete finds nothing",
        f"{_KEY_READ}[empty key]": "a delete finds nothing",
        f"{_KEY_READ}[key too long]": "finds nothing",
        f"{_KEY_READ}[sort key too long]": "finds nothing",
        "test_an_index_key_of_another_type_is_refused": "stores it",
    },
    "embedded": {},
    "dynamodb-local": {},
}


def test_every_known_deviation_is_of_a_test_in_this_module() -> None:
    assert [case for known in DEVIATIONS.values() for case in known if case.partition("[")[0] not in globals()] == []


def test_a_number_has_one_spelling(engine: Engine) -> None:
    item = encode(engine.key("a")) | {"held": {"N": "0012.50"}, "none": {"N": "-0"}, "many": {"N": "1E3"}}
    engine.client.put_item(TableName=engine.table("accounts"), Item=item)
    stored = engine.client.get_item(**engine.at("a"))["Item"]
    assert [stored[name]["N"] for name in ("held", "none", "many")] == ["12.5", "0", "1000"]


@pytest.mark.parametrize(
    "number",
    ["1" * 39, "0." + "1" * 39, "1E126", "1E-131", "", "one", "1_000"],
    ids=["39 digits", "39 decimals", "too large", "too small", "empty", "no digits", "spelled as in Python"],
)
def test_a_number_that_cannot_be_stored_is_refused(engine: Engine, number: str) -> None:
    item = encode(engine.key("a")) | {"held": {"N": number}}
    assert code_of(engine.client.put_item, TableName=engine.table("accounts"), Item=item) == INVALID
    update = engine.change("a", "SET #held = :held", ExpressionAttributeValues={":held": {"N": number}})
    assert code_of(engine.client.update_item, **update) == INVALID
    assert engine.row("a") is None


def test_zeros_around_38_digits_do_not_count(engine: Engine) -> None:
    item = encode(engine.key("a")) | {"held": {"N": f"000{LARGEST}00"}, "more": {"N": f"0.00{LARGEST}0"}}
    engine.client.put_item(TableName=engine.table("accounts"), Item=item)
    stored = engine.client.get_item(**engine.at("a"))["Item"]
    assert (stored["held"], stored["more"]) == ({"N": f"{LARGEST}00"}, {"N": f"0.00{LARGEST}"})


def item_bytes(engine: Engine, entry: str) -> int:
    return sum(map(len, ("owner", engine.owner, "entry", entry)))


def test_a_row_of_400_kb_is_stored_and_one_byte_more_is_not(engine: Engine) -> None:
    """Names count as their values do, in UTF-8."""
    room = ITEM_BYTES_MAX - item_bytes(engine, "a") - len("ü".encode()) - len("€".encode())
    engine.put("a", ü="x" * room + "€")
    too_much = engine.item("a", {"ü": "x" * (room + 1) + "€"})
    assert code_of(engine.client.put_item, **too_much) == INVALID
    assert len(engine.row("a")["ü"]) == room + 1  # type: ignore[index]


def test_an_update_beyond_400_kb_is_refused(engine: Engine) -> None:
    room = ITEM_BYTES_MAX - item_bytes(engine, "a") - len("text") - len("more")
    engine.put("a", text=b"x" * (room - 5))
    assert code_of(engine.update, "a", "SET #more = :more", more="x" * 6) == INVALID
    assert list(engine.row("a") or ()) == ["text"]
    engine.update("a", "SET #more = :more", more="x" * 5)


def test_an_update_counts_what_it_replaces_no_more(engine: Engine) -> None:
    engine.put("a", text=b"x" * 200_000)
    for _ in range(3):
        engine.update("a", "SET #text = :text", text=b"y" * 250_000)
    engine.update("a", "REMOVE #text SET #more = :more", more=b"z" * 350_000)
    assert list(engine.row("a") or ()) == ["more"]


KEYS_THAT_DO_NOT_FIT: dict[str, Row] = {
    "sort key missing": {"owner": "ann"},
    "of another type": {"owner": "ann", "entry": 1},
    "empty sort key": {"owner": "ann", "entry": ""},
    "empty key": {"owner": "", "entry": "a"},
    "key too long": {"owner": "x" * 2049, "entry": "a"},
    "sort key too long": {"owner": "ann", "entry": "x" * 1025},
}


@pytest.mark.parametrize("key", KEYS_THAT_DO_NOT_FIT.values(), ids=KEYS_THAT_DO_NOT_FIT.keys())
def test_nothing_is_written_at_a_key_that_does_not_fit(engine: Engine, key: Row) -> None:
    table = engine.table("accounts")
    assert code_of(engine.client.put_item, TableName=table, Item=encode(key)) == INVALID
    update = {"UpdateExpression": "SET #a = :a"} | expressions(None, "#a", a=1)
    assert code_of(engine.client.update_item, TableName=table, Key=encode(key), **update) == INVALID


@pytest.mark.parametrize("key", KEYS_THAT_DO_NOT_FIT.values(), ids=KEYS_THAT_DO_NOT_FIT.keys())
def test_nothing_is_read_at_a_key_that_does_not_fit(engine: Engine, key: Row) -> None:
    table = engine.table("accounts")
    assert code_of(engine.client.get_item, TableName=table, Key=encode(key)) == INVALID
    assert code_of(engine.client.delete_item, TableName=table, Key=encode(key)) == INVALID


def test_a_key_has_no_more_than_its_attributes(engine: Engine) -> None:
    key = encode(engine.key("a") | {"held": 1})
    assert code_of(engine.client.get_item, TableName=engine.table("accounts"), Key=key) == INVALID


def test_an_empty_text_is_stored_where_it_is_no_key(engine: Engine) -> None:
    engine.put("a", name="", bytes=b"")
    assert engine.row("a") == {"name": "", "bytes": b""}


def test_an_index_key_of_another_type_is_refused(engine: Engine) -> None:
    key = {"owner": engine.owner, "entry": "a"}
    table = engine.table("signed-orders")
    assert code_of(engine.client.put_item, TableName=table, Item=encode(key | {"open_since": 1})) == INVALID
    update = {"UpdateExpression": "SET #open_since = :since"} | expressions(None, "#open_since", since=1)
    assert code_of(engine.client.update_item, TableName=table, Key=encode(key), **update) == INVALID
    batch = {table: [{"PutRequest": {"Item": encode(key | {"open_since": since})}} for since in ("2", 1)]}
    batch[table][0]["PutRequest"]["Item"]["entry"] = {"S": "b"}
    assert code_of(engine.client.batch_write_item, RequestItems=batch) == INVALID
    for entry in "ab":
        at = encode(key | {"entry": entry})
        assert "Item" not in engine.client.get_item(TableName=table, Key=at)
