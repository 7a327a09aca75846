"""Sessions: JWTs of makers who have proven their wallet; HS256, signed with the instance's own secret.

``sub`` is the wallet in lower case, ``iss`` the instance, ``iat`` and ``exp`` Unix seconds. Sessions are not stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.tenancy.instances import INSTANCE_ID
from chalicelib.domain.tenancy.keys import jwt_secret_of

ALGORITHM = "HS256"
_WALLET = re.compile(r"0x[0-9a-f]{40}")


class NotASession(Exception):
    """The text is no JWT of this deployment, or it has expired."""


@dataclass(frozen=True, slots=True)
class Session:
    """The maker of a JWT, and until when. wallet: in lower case. ends_s: Unix seconds."""

    instance: str
    wallet: str
    ends_s: int


def new_jwt(session: Session, master_key: bytes, now_s: int) -> str:
    """Return a JWT of a session that begins now."""
    import jwt  # not at module level: most requests do not need it

    claims = {"sub": session.wallet, "iss": session.instance, "iat": now_s, "exp": session.ends_s}
    return jwt.encode(claims, jwt_secret_of(master_key, session.instance), ALGORITHM)


def session_of(text: str, master_keys: Iterable[bytes], now_s: int) -> Session:
    """Return the session of a JWT. Raises NotASession for an invalid one.

    master_keys: the accepted ones, newest first, read one after the other.
    """
    import jwt

    try:
        named = jwt.decode(text, options={"verify_signature": False}).get("iss")
        if not isinstance(named, str) or not INSTANCE_ID.fullmatch(named):
            raise NotASession
        claims = _claims(text, master_keys, named)
    except (jwt.PyJWTError, ValueError) as error:
        raise NotASession from error
    wallet, ends_s = claims.get("sub"), claims.get("exp")
    if not isinstance(wallet, str) or not _WALLET.fullmatch(wallet):
        raise NotASession
    if not isinstance(ends_s, int) or isinstance(ends_s, bool) or ends_s <= now_s:
        raise NotASession
    return Session(named, wallet, ends_s)


def _claims(text: str, master_keys: Iterable[bytes], instance: str) -> dict[str, Any]:
    """Return the claims of a JWT signed with one of the instance's secrets; times are not checked."""
    import jwt

    by_the_desks_clock: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
    for master_key in master_keys:
        secret = jwt_secret_of(master_key, instance)
        with suppress(jwt.InvalidSignatureError):
            claims: dict[str, Any] = jwt.decode(text, secret, algorithms=[ALGORITHM], options=by_the_desks_clock)
            return claims
    raise NotASession
