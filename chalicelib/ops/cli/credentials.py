"""Shared commands for API tokens, taker keys and escrow keys.

A credential is printed only by the command that creates it. Its digest is stored, and is its id in the other commands.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic

from chalicelib import wiring
from chalicelib.domain.tenancy.credentials import C, Kind, digest_of
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.ops.cli.arguments import Printed, add_command, add_instance, pattern
from chalicelib.ops.cli.tenants import tenants
from chalicelib.support.clock import now_s
from chalicelib.tables.credentials import Credentials

Members = Callable[[argparse.Namespace], dict[str, object]]


@dataclass(frozen=True, slots=True)
class Commands(Generic[C]):
    """The commands of one kind of credential.

    id_name: argument that identifies one. shown: printed members, without the instance. lines: yields a line of text
    each.
    """

    kind: Kind[C]
    id_name: str
    shown: Callable[[C], Printed]
    lines: Callable[[Printed], Iterator[str]]

    @property
    def stored(self) -> Credentials[C]:
        return Credentials(wiring.database(), self.kind)

    def printed(self, one: C) -> Printed:
        return {"instance": one.instance} | self.shown(one)

    def create(self, instance: str, text: str, limit: RateLimit, **own: Any) -> Printed:
        """Store a new credential. Return its printed members, without its text. own: members of its kind."""
        made = self.kind.type(key_id=digest_of(text), instance=instance, made_s=now_s(), rate_limit=limit, **own)
        self.stored.create(made)
        return self.printed(made)

    def add_list(self, group: Any, listed: Callable[[str, list[C]], Printed], text: str) -> None:
        """Add the command that lists an instance's credentials. listed: the printed result."""

        def run(options: argparse.Namespace) -> Printed:
            instance = tenants().get(options.instance).instance
            return listed(instance, self.stored.of_instance(instance))

        command = add_command(group, "list", run, text)
        add_instance(command)
        command.set_defaults(lines=self.lines)

    def add_change(self, group: Any, word: str, members: Members, text: str) -> argparse.ArgumentParser:
        """Add a command that sets members of one credential."""
        return self._add_of_one(group, word, lambda key_id, options: self._changed(key_id, members(options)), text)

    def add_delete(self, group: Any, text: str) -> None:
        self._add_of_one(group, "delete", lambda key_id, _options: self.stored.delete(key_id), text)

    def _changed(self, key_id: str, members: dict[str, object]) -> C:
        return self.stored.change(key_id, **members)

    def _add_of_one(
        self, group: Any, word: str, act: Callable[[str, argparse.Namespace], C], text: str
    ) -> argparse.ArgumentParser:
        as_listed = f"as {self.kind.name} list shows"
        command = add_command(group, word, lambda options: self.printed(act(options.key_id, options)), text)
        digest = pattern(r"[0-9a-f]{64}", f"must be 64 hexadecimal digits, {as_listed} them")
        command.add_argument("key_id", metavar=self.id_name, type=digest, help=f"{as_listed} it")
        return command
