"""What an operator sets for an instance, what it is unless set, and that it holds from the next request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.signed.settings import FEE_BPS_MAX, DeskSettings, Domain
from chalicelib.tables.desk_settings import TakerDesks
from chalicelib.tables.instruments import Instruments
from tests.apis.taker.cases import INVALID, locked, new_order, order_body, outcome_of
from tests.apis.taker.desk import OTHER_INSTANCE, Desk, data_of, open_instance
from tests.case_tables import cases, deviates


def _setting(name: str) -> Callable[[DeskSettings], Any]:
    return lambda settings: getattr(settings, name, None)


DEFAULTS: Any = cases(
    ("ledger_settlement",    _setting("has_ledger_settlement"),                            True),
    ("lock_seconds",         _setting("lock_seconds"),                                     3600),
    ("min_validity_seconds", _setting("min_validity_seconds"),                             0),
    ("auth_window_ms",       _setting("auth_window_ms"),                                   300_000),
    ("jwt_ttl_seconds",      _setting("jwt_ttl_seconds"),                                  86_400),
    ("fee_bps",              _setting("fee_bps"),                                          0),
    ("rate_per_second",      lambda settings: settings.rate_limit.refill_per_1000_s / 1000, 20),
    ("rate_burst",           lambda settings: settings.rate_limit.bucket,                   40),
    ("eip712 name",          lambda settings: settings.domain.name,                        "RFQSettlement"),
    ("eip712 version",       lambda settings: settings.domain.version,                     "1"),
    ("eip712 chain",         lambda settings: settings.domain.chain_id,                    97),
    ("eip712 contract",      lambda settings: settings.domain.verifying_contract,
     "0xCB310C56A19078aA969A922f382613d932D89D83"),
    deviates(
        "one schedule sweeps all instances, every minute; when a lapse takes effect does not depend on it (K30)",
        "sweep_seconds",     _setting("sweep_seconds"),                                    60,
    ),
)  # fmt: skip


@pytest.mark.parametrize(("look", "value"), DEFAULTS)
def test_what_is_set_unless_somebody_sets_it(desk: Desk, look: Callable[[DeskSettings], Any], value: object) -> None:
    open_instance(desk.database, OTHER_INSTANCE)
    assert look(TakerDesks(desk.database).settings(OTHER_INSTANCE)) == value


def test_an_instance_has_no_quotes_and_instruments_unless_somebody_adds_them(desk: Desk) -> None:
    instruments = Instruments(desk.database)
    assert (instruments.quotes("inst_nobody"), instruments.of_instance("inst_nobody")) == ([], [])


def test_the_highest_fee_is_ten_percent() -> None:
    assert FEE_BPS_MAX == 1000


def _create(desk: Desk) -> Any:
    return desk.maker_post("/orders", order_body(desk))


def _lock(desk: Desk) -> Any:
    (order, *_) = data_of(desk.get("/orders/available"))
    return desk.lock(order["order_hash"], lock_duration=60)


HOLDS_AT_ONCE: Any = cases(
    ("lock_seconds",         {"lock_seconds": 59},             _lock),
    ("min_validity_seconds", {"min_validity_seconds": 10**10}, _create),
    ("eip712",               {"domain": Domain(chain_id=1)},   _create),
)  # fmt: skip


@pytest.mark.parametrize(("settings", "ask"), HOLDS_AT_ONCE)
def test_a_change_holds_from_the_next_request_on(
    desk: Desk, settings: dict[str, Any], ask: Callable[[Desk], Any]
) -> None:
    for _ in range(2):
        new_order(desk)
    assert outcome_of(ask(desk)) == 200
    desk.change_settings(**settings)
    assert outcome_of(ask(desk)) == INVALID


def test_settings_are_each_instances_own(desk: Desk) -> None:
    open_instance(desk.database, OTHER_INSTANCE)
    TakerDesks(desk.database).change(OTHER_INSTANCE, lambda found: replace(found, fee_bps=1000, lock_seconds=1))
    order_hash = locked(desk)
    assert data_of(desk.fill(order_hash, 1000))["fee_amount"] == "0"
