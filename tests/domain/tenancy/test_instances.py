"""Instances and their keys as values: how many are valid, until when, and what is remembered of the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.tenancy.instances import (
    ENDED_KEYS_MAX,
    VALID_KEYS_MAX,
    Instance,
    Key,
    KeyHasEnded,
    KeyStatus,
    TooManyKeys,
    UnknownKey,
)

NOW_S = 1_736_937_000
DAY_S = 86_400
WEEK_S = 7 * DAY_S


def key(number: int, rate_limit: int = 200) -> Key:
    return Key(f"key_{number:02d}", f"digest {number}", rate_limit, NOW_S)


def instance(keys: int) -> Instance:
    return Instance("inst_test0001", frozenset({"trading"}), keys=tuple(map(key, range(keys))))


def statuses(found: Instance, at_s: int = NOW_S) -> dict[str, str]:
    return {key.key_id: key.status_at(at_s).value for key in found.keys}


def test_an_instance_has_ten_valid_keys_at_most() -> None:
    ten = instance(9).with_key(key(9), NOW_S)
    assert len(ten.valid_keys(NOW_S)) == VALID_KEYS_MAX == 10
    with pytest.raises(TooManyKeys, match="inst_test0001"):
        ten.with_key(key(10), NOW_S)
    assert len(ten.revoked("key_03", NOW_S).with_key(key(10), NOW_S).valid_keys(NOW_S)) == 10


def test_a_rotated_key_is_valid_until_its_end_and_its_successor_has_its_limit() -> None:
    rotated = instance(1).limited("key_00", 7, NOW_S).rotated("key_00", key(1, 0), NOW_S + WEEK_S, NOW_S)
    assert statuses(rotated) == {"key_00": "PENDING_ROTATION", "key_01": "ACTIVE"}
    assert statuses(rotated, NOW_S + WEEK_S - 1) == statuses(rotated)
    assert statuses(rotated, NOW_S + WEEK_S) == {"key_00": "EXPIRED", "key_01": "ACTIVE"}
    assert [one.is_valid(NOW_S + WEEK_S) for one in rotated.keys] == [False, True]
    assert [one.rate_limit for one in rotated.keys] == [7, 7]


def test_a_rotation_counts_both_keys_until_the_old_one_ends() -> None:
    ten = instance(10)
    with pytest.raises(TooManyKeys):
        ten.rotated("key_00", key(10), NOW_S + DAY_S, NOW_S)
    at_once = ten.rotated("key_00", key(10), NOW_S, NOW_S)
    assert len(at_once.valid_keys(NOW_S)) == 10
    assert statuses(at_once)["key_00"] == "EXPIRED"
    nine = instance(9).rotated("key_00", key(9), NOW_S + DAY_S, NOW_S)
    with pytest.raises(TooManyKeys):
        nine.with_key(key(10), NOW_S + DAY_S - 1)
    assert len(nine.with_key(key(10), NOW_S + DAY_S).valid_keys(NOW_S + DAY_S)) == 10


def test_only_an_active_key_is_rotated() -> None:
    rotated = instance(1).rotated("key_00", key(1), NOW_S + DAY_S, NOW_S)
    with pytest.raises(KeyHasEnded, match="PENDING_ROTATION: key_00"):
        rotated.rotated("key_00", key(2), NOW_S + WEEK_S, NOW_S)
    with pytest.raises(KeyHasEnded, match="EXPIRED: key_00"):
        rotated.rotated("key_00", key(2), NOW_S + WEEK_S, NOW_S + DAY_S)
    with pytest.raises(KeyHasEnded, match="REVOKED: key_01"):
        rotated.revoked("key_01", NOW_S).rotated("key_01", key(2), NOW_S + WEEK_S, NOW_S)


@pytest.mark.parametrize("is_rotating", [False, True])
def test_a_key_is_revoked_at_once_and_once(is_rotating: bool) -> None:
    found = instance(1)
    if is_rotating:
        found = found.rotated("key_00", key(1), NOW_S + DAY_S, NOW_S)
    revoked = found.revoked("key_00", NOW_S + 5)
    assert revoked.key("key_00") == replace(
        found.key("key_00"), status=KeyStatus.REVOKED, ends_s=NOW_S + 5, digest=None
    )
    assert revoked.revoked("key_00", NOW_S + 9) == revoked


def test_an_expired_key_stays_expired_when_it_is_revoked() -> None:
    rotated = instance(1).rotated("key_00", key(1), NOW_S + DAY_S, NOW_S)
    assert rotated.revoked("key_00", NOW_S + DAY_S) == rotated


def test_the_limit_of_a_key_that_has_ended_is_not_changed() -> None:
    with pytest.raises(KeyHasEnded):
        instance(1).revoked("key_00", NOW_S).limited("key_00", 5, NOW_S)


def test_an_unknown_key_is_refused() -> None:
    for change in (
        lambda found: found.revoked("key_99", NOW_S),
        lambda found: found.limited("key_99", 5, NOW_S),
        lambda found: found.rotated("key_99", key(1), NOW_S, NOW_S),
    ):
        with pytest.raises(UnknownKey, match="key_99"):
            change(instance(1))


def test_a_change_that_is_made_already_changes_nothing() -> None:
    """An answer of the table that was lost is not the operator's problem."""
    one = instance(1)
    added = one.with_key(key(1), NOW_S)
    assert added.with_key(key(1), NOW_S) == added
    rotated = one.rotated("key_00", key(1), NOW_S + DAY_S, NOW_S)
    assert rotated.rotated("key_00", key(1), NOW_S + DAY_S, NOW_S) == rotated
    assert one.with_service("trading") == one
    assert one.without_service("trading").without_service("trading").services == frozenset()


def test_the_ten_keys_that_ended_last_are_remembered_without_their_digests() -> None:
    """However often keys are made and end, what a request reads of the instance stays as large."""
    found = instance(1)
    for number in range(1, 100):
        at_s = NOW_S + number
        found = found.with_key(replace(key(number), made_s=at_s), at_s).revoked(f"key_{number:02d}", at_s)
    assert [one.key_id for one in found.keys] == ["key_00", *(f"key_{number}" for number in range(90, 100))]
    assert len(found.keys) == 1 + ENDED_KEYS_MAX
    assert [one.digest for one in found.keys] == ["digest 0", *[None] * ENDED_KEYS_MAX]


def test_a_key_that_expired_loses_its_digest_with_the_next_change() -> None:
    rotated = instance(1).rotated("key_00", key(1), NOW_S + DAY_S, NOW_S)
    later = rotated.with_key(key(2), NOW_S + DAY_S)
    assert (later.key("key_00").status, later.key("key_00").digest) == (KeyStatus.EXPIRED, None)
    assert not later.key("key_00").is_valid(NOW_S), "a clock that is behind brings no key back"
