"""Accounts: what an owner has of an asset, available and held."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Balance:
    """One account, in base units of its asset.

    changed_at_ms: when its last change was decided, ms since the epoch; None where there was none yet.
    withdrawn: of a fee account, the sum of what was withdrawn from it so far (T95).
    """

    asset: str
    available: int
    held: int
    changed_at_ms: int | None = field(default=None, compare=False)
    withdrawn: int = 0

    @property
    def total(self) -> int:
        return self.available + self.held
