"""Makes merchants of the escrow desk, by the commands an operator gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

EURO = "0x" + "e" * 40


def make_merchants(run: Callable[[str], dict[str, Any]], instance: str, *merchants: str) -> None:
    """Give an instance a currency and merchants."""
    run(f"token create --instance {instance} --token-address {EURO} --name Euro --symbol EUR")
    run(f"escrow-desk currency {instance} EUR --token-address {EURO}")
    for merchant in merchants:
        run(f"merchant create {instance} {merchant} --base-currency EUR")
