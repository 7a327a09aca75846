"""The JWTs that makers get for proving their wallet: HS256, signed with the instance's own secret.

``sub`` is the wallet in lower case, ``iss`` the instance, ``iat`` and ``exp`` Unix seconds. Nothing of them is stored.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.signed.keys import jwt_secret_of
from chalicelib.domain.tenancy.instances import INSTANCE_ID
from chalicelib.domain.tenancy.master_keys import in_turn, none_before

ALGORITHM = "HS256"
_WALLET = re.compile(r"0x[0-9a-f]{40}")


class NotASession(Exception):
    """A text that is no JWT of this deployment, or one whose time is over."""


@dataclass(frozen=True, slots=True)
class Session:
    """wallet: in lower case."""

    instance: str
    wallet: str


class Sessions:
    """master_key: of which each instance's secret is derived; asked for when a JWT is made or read.

    previous_master_key: one whose JWTs are good too; asked for when the newest one's secret does not fit.
    """

    def __init__(
        self, master_key: Callable[[], bytes], previous_master_key: Callable[[], bytes | None] = none_before
    ) -> None:
        self._master_key = master_key
        self._previous_master_key = previous_master_key

    def open(self, session: Session, now_s: int, ttl_s: int) -> str:
        """Return a JWT that is good for so many seconds."""
        import jwt  # here, for most requests need none of it

        claims = {"sub": session.wallet, "iss": session.instance, "iat": now_s, "exp": now_s + ttl_s}
        return jwt.encode(claims, jwt_secret_of(self._master_key(), session.instance), ALGORITHM)

    def read(self, text: str, now_s: int) -> Session:
        """Return whose JWT this is. Raises NotASession, whatever is wrong with it."""
        import jwt

        try:
            named = jwt.decode(text, options={"verify_signature": False}).get("iss")
            if not isinstance(named, str) or not INSTANCE_ID.fullmatch(named):
                raise NotASession
            claims = self._claims(text, named)
        except (jwt.PyJWTError, ValueError) as error:
            raise NotASession from error
        return _session_of(claims, named, now_s)

    def _claims(self, text: str, instance: str) -> dict[str, Any]:
        """Return the claims of a JWT that is signed with the instance's secret, its times unchecked."""
        import jwt

        by_the_desks_clock: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
        for master_key in in_turn(self._master_key, self._previous_master_key):
            secret = jwt_secret_of(master_key, instance)
            with suppress(jwt.InvalidSignatureError):
                claims: dict[str, Any] = jwt.decode(text, secret, algorithms=[ALGORITHM], options=by_the_desks_clock)
                return claims
        raise NotASession


def _session_of(claims: dict[str, Any], instance: str, now_s: int) -> Session:
    wallet, ends_s = claims.get("sub"), claims.get("exp")
    if not isinstance(wallet, str) or not _WALLET.fullmatch(wallet):
        raise NotASession
    if not isinstance(ends_s, int) or isinstance(ends_s, bool) or ends_s <= now_s:
        raise NotASession
    return Session(instance, wallet)
