"""Messages of the topic ``balance``: balances that entries have changed, as they are by now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from chalicelib.apis.trade.decimals import dec
from chalicelib.apis.trade.pairs import code_of
from chalicelib.apis.trade.socket_events import events_in
from chalicelib.domain.feed.logs import BOOK_AREA
from chalicelib.domain.feed.subscription import Subscription
from chalicelib.domain.ledger.tokens import Token
from chalicelib.services.ledger.reading import LedgerReading
from chalicelib.services.push.desk import Body, News
from chalicelib.services.push.states import Projected
from chalicelib.support.bounded_cache import BoundedCache
from chalicelib.support.canonical import exact


@dataclass(frozen=True, slots=True)
class BalanceMessages:
    """tokens: known ones, by instance and address."""

    ledger: LedgerReading
    projected: Projected
    tokens: BoundedCache[tuple[str, str], Token]

    def bodies(self, subscription: Subscription, news: News) -> dict[str, list[Body]]:
        """Return one message with the balances that entries of any log have changed, as they are by now."""
        found = [
            one for entries in news.values() for one in events_in(entries, "balance.changed", subscription.subjects)
        ]
        if not found:
            return {}
        for entry, event in {event.log: (entry, event) for entry, event in found}.values():
            area, _, book_id = event.log.partition("/")
            if area == BOOK_AREA:
                self.projected.wait(subscription.instance, book_id, entry.sequence)
        customer = str(found[-1][1].body["customerRef"])
        tokens = self._tokens(subscription.instance, {str(event.body["asset"]) for _, event in found})
        rows = self.ledger.balances_of(subscription.instance, [(customer, asset) for asset in sorted(tokens)])
        balances = [
            {
                "currency_code": code_of(tokens[row.asset]),
                "available_amount": dec(row.available, tokens[row.asset].decimals),
                "locked_amount": dec(row.held, tokens[row.asset].decimals),
            }
            for row in rows
        ]
        log, last = [(log, entries[-1]) for log, entries in news.items() if entries][-1]
        at_ms = max(event.at_ms for _, event in found)
        return {log: [Body(last.place, at_ms, exact({"user_id": customer, "balances": balances}))]}

    def _tokens(self, instance: str, assets: Collection[str]) -> dict[str, Token]:
        """Return the registered ones of these assets, by address. Symbols and decimals never change."""
        missing = [asset for asset in assets if (instance, asset) not in self.tokens]
        for asset, token in (self.ledger.tokens_by_address(instance, missing) if missing else {}).items():
            self.tokens.set((instance, asset), token)
        known = {asset: self.tokens.get((instance, asset)) for asset in assets}
        return {asset: token for asset, token in known.items() if token is not None}
