"""What does not agree: where, what the journal gives, what stands there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """where: the row and the attribute. expected: what the journal gives. found: what stands there."""

    where: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, found {self.found}"


def difference(
    where: str, expected: Mapping[str, object], found: Mapping[str, object], head: int
) -> Disagreement | None:
    """Return the first attribute in which a row that stands there is not as the journal gives it.

    head: the journal's last entry; a ``sequence`` beyond it comes first, because it tells more than the others.
    """
    ahead = beyond(f"{where}, sequence", found.get("sequence"), head)
    if ahead is not None:
        return ahead
    for name in [*expected, *(name for name in found if name not in expected)]:
        if name not in expected or name not in found or expected[name] != found[name]:
            return Disagreement(f"{where}, {name}", _text(expected, name), _text(found, name))
    return None


def _text(row: Mapping[str, object], name: str) -> str:
    return str(row[name]) if name in row else NOTHING


def beyond(where: str, sequence: object, head: int) -> Disagreement | None:
    """Return the disagreement of a row that shows an entry after the journal's last one."""
    if not isinstance(sequence, int) or sequence <= head:
        return None
    expected = f"{head} at most, the journal's last entry"
    return Disagreement(where, expected, f"{sequence}: entries were removed from the journal's end, or it was edited")
