"""What the commands of API tokens, taker keys and escrow keys share.

A credential is printed only by the command that creates it. Its digest is stored, and is its id in the other commands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic

from chalicelib import wiring
from chalicelib.domain.tenancy.credentials import C, Kind, digest_of
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.ops.cli.arguments import Printed, pattern, read_by
from chalicelib.ops.cli.tenants import tenants
from chalicelib.support.clock import now_s
from chalicelib.tables.credentials import Credentials

Digest = Annotated[
    str, read_by(pattern(r"[0-9a-f]{64}", "must be 64 hexadecimal digits, as list shows them"), "as list shows it")
]


@dataclass(frozen=True, slots=True)
class Credentialing(Generic[C]):
    """Makes, lists and changes one kind of credential. shown: printed members of one, without its instance."""

    kind: Kind[C]
    shown: Callable[[C], Printed]

    @property
    def _stored(self) -> Credentials[C]:
        return Credentials(wiring.database(), self.kind)

    def printed(self, one: C) -> Printed:
        return {"instance": one.instance} | self.shown(one)

    def create(self, instance: str, text: str, limit: RateLimit, **own: Any) -> Printed:
        """Store a new credential. Return its printed members, without its text. own: members of its kind."""
        made = self.kind.type(key_id=digest_of(text), instance=instance, made_s=now_s(), rate_limit=limit, **own)
        self._stored.create(made)
        return self.printed(made)

    def of_instance(self, instance: str) -> list[C]:
        return self._stored.of_instance(tenants().get(instance).instance)

    def change(self, key_id: str, **members: object) -> Printed:
        return self.printed(self._stored.change(key_id, **members))

    def delete(self, key_id: str) -> Printed:
        return self.printed(self._stored.delete(key_id))
