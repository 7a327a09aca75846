"""A run whose traders are in a hurry: ``python -m tests.infra.lively ENTRIES PERIOD_S SETTLED_MS``."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from infra import demo_traders, local
from infra.demo_rounds import Rounds


def main(entries_max: int, period_s: float, settled_ms: int) -> int:
    """Run as ``make run`` does. entries_max: of a round."""
    hurried: Any = partial(demo_traders.DemoTraders, period_s=period_s, entries_max=entries_max)
    rounds: Any = partial(Rounds, settled_ms=settled_ms)
    demo_traders.DemoTraders, local.Rounds = hurried, rounds  # type: ignore[misc]
    return local.main()


if __name__ == "__main__":
    entries, period, settled = sys.argv[1:]
    sys.exit(main(int(entries), float(period), int(settled)))
