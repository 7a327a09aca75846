"""Comparisons of names fold only A to Z."""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.support.ascii_case import ascii_lower, ascii_upper
from infra.settings import ROOT

LETTERS = dict(zip(ascii_uppercase, ascii_lowercase, strict=True))


@given(text=st.text())
def test_each_character_is_folded_by_itself_and_a_to_z_alone(text: str) -> None:
    assert ascii_lower(text) == "".join(LETTERS.get(character, character) for character in text)
    assert ascii_upper(ascii_lower(text)) == ascii_upper(text)
    assert ascii_lower(ascii_upper(text)) == ascii_lower(text)


def test_no_key_of_a_table_is_made_with_unicodes_own_folding() -> None:
    """Hexadecimal digits aside, which are checked before: ``.lower()`` does to them what it does to ASCII."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "chalicelib/tables").glob("*.py")}
    assert texts
    for word in (".casefold(", ".lower(", ".upper(", "unicodedata"):
        assert [name for name, text in texts.items() if word in text] == []
