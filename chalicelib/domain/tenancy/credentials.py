"""Credentials that are found by their digest: API tokens, taker keys and escrow keys.

Only the SHA-256 of a credential's text is stored, which is also its id; the text is shown once, by the command that
creates it. A credential belongs to one instance and is unique in the whole system (R9).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from chalicelib.domain.tenancy.instances import ExistsAlready, NotFound
from chalicelib.domain.tenancy.rate_limit import RateLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A stored credential. key_id: SHA-256 of its text, in hexadecimal. made_s: Unix seconds."""

    key_id: str
    instance: str
    made_s: int
    rate_limit: RateLimit


C = TypeVar("C", bound=Credential)


@dataclass(frozen=True, slots=True)
class Kind(Generic[C]):
    """A kind of credential. name: in rows and commands. noun: in messages. type: the stored dataclass.

    read: parsers of its members that are no plain values. form: a text that does not match is not looked up. optional:
    members that a row lacks unless they are set.
    """

    name: str
    noun: str
    type: type[C]
    read: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    form: re.Pattern[str] | None = None
    optional: frozenset[str] = frozenset()


class UnknownCredential(NotFound):
    def __init__(self, kind: Kind[Any], key_id: str) -> None:
        super().__init__(f"no such {kind.noun}: {key_id}")


class CredentialExists(ExistsAlready):
    """A credential with this text exists."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"exists already: {key_id}")


def digest_of(text: str) -> str:
    """Return the SHA-256 of a credential's text, in hexadecimal."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
