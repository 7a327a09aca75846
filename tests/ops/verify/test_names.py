"""``verify`` reports edits of the rows by which books are found, and of tokens' decimals."""

from __future__ import annotations

from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.services.books.disagreements import Disagreement
from tests.ops.verify.hands import disagreement, edit, remove, rows, verified
from tests.world import BASE, BOOK_ID, INSTANCE, QUOTE, World


def test_a_pair_or_symbol_that_names_another_book_or_none_is_reported(world: World) -> None:
    for part in (f"pair/{BASE}/{QUOTE}", "symbol/b/q"):
        (row,) = rows(world, "books", book=INSTANCE, part=part)
        edit(world, "books", row, held_by="ob_other")
        where = f"row {part} of the books of {INSTANCE}"
        assert disagreement(world) == Disagreement(f"{where}, held_by", BOOK_ID, "ob_other")
        remove(world, "books", row, "book", "part")
        assert disagreement(world) == Disagreement(where, "the row", "no row")
        world.database.put_many("books", [row])
    verified(world)


def test_a_book_that_is_not_listed_or_only_listed_is_reported(world: World) -> None:
    (row,) = rows(world, "books", book=INSTANCE, part=f"book/{BOOK_ID}")
    remove(world, "books", row, "book", "part")
    assert disagreement(world).where == f"row book/{BOOK_ID} of the books of {INSTANCE}"
    world.database.put_many("books", [row, row | {"part": "book/ob_none"}])
    assert disagreement(world).where == f"row book/ob_none of the books of {INSTANCE}"


def test_a_symbol_of_no_book_is_reported(world: World) -> None:
    world.database.put_many("books", [{"book": INSTANCE, "part": "symbol/x/y", "held_by": BOOK_ID}])
    assert disagreement(world).where == f"row symbol/x/y of the books of {INSTANCE}"


def test_names_that_a_closed_book_gave_back_name_nothing(world: World) -> None:
    world.change_status(BookStatus.CLOSED)
    assert world.deliver() == []
    verified(world)
    (row,) = rows(world, "books", book=INSTANCE, part="symbol/b/q")
    world.database.put_many("books", [row | {"held_by": BOOK_ID}])
    assert disagreement(world).where == f"row symbol/b/q of the books of {INSTANCE}"


def test_a_tokens_decimals_are_those_of_its_books(world: World) -> None:
    (row,) = rows(world, "tokens", address=BASE)
    edit(world, "tokens", row, decimals=row["decimals"] + 1)
    where = f"{INSTANCE}/{BOOK_ID} base token {BASE}"
    expected = f"{row['decimals']}, those of the book"
    assert disagreement(world) == Disagreement(f"{where}, decimals", expected, str(row["decimals"] + 1))
    remove(world, "tokens", row, "instance", "entry")
    assert disagreement(world) == Disagreement(where, "the token", "no row")
