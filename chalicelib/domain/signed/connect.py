"""Connect messages: the text that a wallet signs to open a session. Five of its lines count."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain.tenancy.instances import INSTANCE_ID
from chalicelib.support.consistency import Inconsistent

MESSAGE_CHARACTERS_MAX = 2048
NONCE_CHARACTERS_MAX = 128
TIME_TOLERANCE_MS = 300_000
_LINE_BREAK = re.compile(r"\r?\n")
_FORMS = {
    "Wallet address": re.compile(r"0x[0-9a-fA-F]{40}"),
    "ChainId": re.compile(r"0|[1-9][0-9]{0,77}"),
    "Timestamp": re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?Z"),
    "Nonce": re.compile(rf".{{1,{NONCE_CHARACTERS_MAX}}}"),
}
"""The four lines, ``Name: value`` each."""
_INSTANCE = "Instance"
"""The line that names the instance; only at the public one a message may do without (K37)."""


class MalformedMessage(Exception):
    """A line is missing, there twice, or not as it must be; the text says which."""


@dataclass(frozen=True, slots=True)
class ConnectMessage:
    """address: as it was written. chain_id: decimal. at_ms: when the wallet made it, ms since the epoch.

    instance: the one that it is for; None where it names none.
    """

    address: str
    chain_id: str
    at_ms: int
    nonce: str
    instance: str | None

    def is_of_now(self, now_ms: int) -> bool:
        return abs(now_ms - self.at_ms) <= TIME_TOLERANCE_MS


def connect_message(text: str) -> ConnectMessage:
    """Return what the message says; its lines may be in any order, among others. Raises MalformedMessage."""
    lines = _LINE_BREAK.split(text)
    values = {name: _value(lines, name, form) for name, form in _FORMS.items()}
    names_instance = any(line.startswith(f"{_INSTANCE}:") for line in lines)
    return ConnectMessage(
        address=values["Wallet address"],
        chain_id=values["ChainId"],
        at_ms=_at_ms(values["Timestamp"]),
        nonce=values["Nonce"],
        instance=_value(lines, _INSTANCE, INSTANCE_ID) if names_instance else None,
    )


def _value(lines: list[str], name: str, form: re.Pattern[str]) -> str:
    start = f"{name}: "
    found = [line.removeprefix(start) for line in lines if line.startswith(start)]
    if len(found) != 1 or not form.fullmatch(found[0]):
        raise MalformedMessage(f"must have one line '{name}: ...' in its form")
    return found[0]


def _at_ms(text: str) -> int:
    form = _FORMS["Timestamp"].fullmatch(text)
    if form is None:
        raise Inconsistent("it has its form")
    try:
        moment = datetime.strptime(form[1], "%Y-%m-%dT%H:%M:%S")
    except ValueError as error:
        raise MalformedMessage("must have a timestamp that there is") from error
    return calendar.timegm(moment.timetuple()) * 1000 + int((form[2] or "0").ljust(3, "0")[:3])
