"""The figures of ``make bench``, at a small scale: counts and ratios, never times."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from benchmarks import cold_start
from benchmarks.book_paths import one_to_one
from benchmarks.compare import NotComparable, checked_out, git, parts_of, ratio_lines
from benchmarks.costs import CALL_MS
from benchmarks.engine import databases
from benchmarks.figures import Figure, members_of, numbers_in
from benchmarks.listing import OPEN, customer_of, measure, write_customers
from benchmarks.page import COLUMNS, PAGE, figures_of, updated
from benchmarks.parts import PARTS, Scale
from chalicelib.tables.dynamodb import Database
from infra.tables import create_tables
from tests.memory import MemoryDynamoDB

SMALL = Scale(
    orders=20,
    rounds=1,
    levels=10,
    batches=((1, 4), (10, 10)),
    requests=5,
    commands=2_000,
    resting=(100, 1_000),
    open_orders=2_000,
)


def empty() -> Iterator[Database]:
    client: Any = MemoryDynamoDB()
    for number in count(1):
        create_tables(client, f"bench{number}")
        yield Database(client, f"bench{number}")


def figures(part: str, tables: Iterator[Database]) -> dict[str, Figure]:
    return {figure.name: figure for figure in PARTS[part](tables, SMALL)}


def test_the_json_has_the_members_that_others_read() -> None:
    found = [*PARTS["paths"](empty(), SMALL), *PARTS["listing"](empty(), SMALL)]
    members = members_of(found)
    assert set(members["write_units"]) == {"one_to_one", "takers_against_one_maker", "rest_and_cancel", "batch_of_ten"}
    assert set(members["cpu_ms"]) == {"admission", "matching"}
    assert {"one_book_orders_per_second", "listing_read_units"} <= members.keys()
    assert dict(numbers_in(members)) == {figure.name: figure.rounded for figure in found}
    assert set(members["how"]) == {figure.name for figure in found}


CLOCK = 0.11
"""How far units and trips differ from run to run: the requests of a key are written once a second."""


def test_an_orders_units_trips_and_rates_are_those_of_its_path() -> None:
    found = figures("paths", empty())
    path = one_to_one(next(empty()), "", SMALL.orders, SMALL.orders, levels=SMALL.levels)
    admission, matching = path.steps
    assert found["write_units.one_to_one"].value == pytest.approx(path.write_units, abs=CLOCK)
    assert found["trips.placement"].value == pytest.approx(admission.rounds, abs=CLOCK)
    assert found["write_units.batch_of_ten"].value < 0.7 * path.write_units
    assert found["one_book_admissions_per_second.one_to_one"].value == 1000 / admission.tables["inbox"]
    assert found["one_book_admissions_per_second.batch_of_ten"].value > 1000 / admission.tables["inbox"]
    assert (found["one_book_orders_per_second"].value or 0) < 1000 / (matching.rounds * CALL_MS)
    assert (found["cpu_ms.matching"].value or 0) < (found["path_cpu_ms.one_to_one"].value or 0)


def test_a_page_of_open_orders_costs_what_its_rows_do() -> None:
    found = figures("listing", empty())
    tables = next(empty())
    write_customers(tables, (100,))
    measured = measure(tables, OPEN, rounds=0, customerRef=customer_of(100))
    assert found["listing_read_units"].value == measured.cost.read_units
    assert (found["trips.listing"].value or 0) > measured.calls, "the key check is a trip too"


def test_rates_are_in_parts_of_the_engines_own_puts(embedded_database: Database) -> None:
    found = figures("pipeline", databases(embedded_database))
    assert set(found) == {"pipeline.batches_of_1", "pipeline.batches_of_10", "pipeline.admission"}
    assert all(0 < (figure.value or 0) < 2 for figure in found.values())
    one, ten = found["pipeline.batches_of_1"].value, found["pipeline.batches_of_10"].value
    assert one is not None
    assert ten is not None
    assert ten > one, "a batch of ten is decided faster than ten batches"


def test_a_share_of_each_request_is_spent_outside_dynamodb(embedded_database: Database) -> None:
    found = figures("http", databases(embedded_database))
    for name in ("placement", "listing"):
        assert 0 < (found[f"http.{name}.outside_share"].value or 0) < 1
        assert (found[f"http.{name}.p50_ms"].value or 0) <= (found[f"http.{name}.p99_ms"].value or 0)


def test_the_core_and_its_journal_are_measured_without_an_engine() -> None:
    found = figures("core", empty()) | figures("journal", empty())
    assert {"core.brisk.of_peer", "core.deep.of_peer", "journal.us_per_order"} <= found.keys()
    small, large = (found[f"core.resting_{orders}.bytes_per_order"].value or 0 for orders in SMALL.resting)
    assert 0.5 * small < large < 2 * small, "an order takes as much memory in a larger book"


def test_the_local_run_uses_cpu_for_a_placement_and_a_cancel() -> None:
    """What the run uses without requests is subtracted, and may be more for once: measured again then."""
    for _ in range(3):
        found = figures("local", empty())
        names = ("place_and_cancel", "place", "cancel")
        both, place, cancel = (found[f"local_cpu_ms.{name}"].value or 0 for name in names)
        assert both == pytest.approx(place + cancel)
        if place > 0:
            return
    raise AssertionError("a placement uses no CPU")


def test_the_clock_and_the_load_are_measured(embedded_database: Database) -> None:
    for part in ("clock", "load"):
        assert all(figure.value for figure in figures(part, databases(embedded_database)).values())


@pytest.mark.parametrize(
    ("value", "is_count", "shown"),
    [(148.37, False, 148), (13.0512, False, 13.1), (13.0512, True, 13.1), (0.12345, False, 0.123), (52.0, True, 52),
     (329_871.4, False, 330_000), (None, True, None), (0.0, False, 0)],
)  # fmt: skip
def test_a_number_is_rounded_to_what_repeats(value: float | None, is_count: bool, shown: float | None) -> None:
    assert Figure("x", value, "", "", is_count).rounded == shown


def test_the_page_shows_the_counts_that_are_measured() -> None:
    """A page's figures go out of date unseen; those that can be counted in memory are counted again."""
    found = [*PARTS["paths"](empty(), Scale(rounds=1)), *PARTS["listing"](empty(), Scale())]
    page = PAGE.read_text(encoding="utf-8")
    shown = {}
    for line in page.splitlines():
        if names := figures_of(line):
            cells = line.split("|")[COLUMNS["now"] + 1].split("/")
            shown |= {name: cell.strip().replace(",", "") for name, cell in zip(names, cells, strict=False)}
    for figure in found:
        if figure.is_count:
            assert float(shown[figure.name]) == pytest.approx(figure.value, abs=0.15), figure.name


def test_a_package_that_cannot_be_made_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_folder: Path) -> None:
        raise AssertionError("Collecting ...\nno such host")

    monkeypatch.setattr(cold_start, "package", fail)
    found = figures("start", empty())
    assert {figure.value for figure in found.values()} == {None}
    assert all("no such host" in figure.how for figure in found.values())


def test_the_page_takes_the_figures_of_the_json() -> None:
    page = "# Title\n\n| what (`a`, `b.c`) | ms | - | - | why |\n| else (`d`) | | 1 | 2 | |\nText (`a`).\n"
    now = updated(page, {"a": 1234.0, "b.c": 0.5}, "now")
    assert now.splitlines()[2] == "| what (`a`, `b.c`) | ms | - | 1,234 / 0.5 | why |"
    assert (
        updated(now, {"a": 1.0}, "before").splitlines()[2] == "| what (`a`, `b.c`) | ms | 1 / - | 1,234 / 0.5 | why |"
    )
    assert updated(now, {"b.c": None}, "now").splitlines()[2:] == [
        "| what (`a`, `b.c`) | ms | - | 1,234 / - | why |", "| else (`d`) | | 1 | 2 | |", "Text (`a`)."
    ]  # fmt: skip


def test_ratios_are_of_medians_and_what_one_side_lacks_is_named() -> None:
    base = {"cpu_ms": [4.0, 2.0, 3.0], "gone": [1.0]}
    here = {"cpu_ms": [2.0, 1.0, 1.5], "new": [7.0]}
    _, *lines = (" ".join(line.split()) for line in ratio_lines(base, here))
    assert lines == ["cpu_ms 3 1.5 0.50 0.50 to 0.50", "gone only base has it: 1", "new only here has it: 7"]


def test_a_commit_is_compared_in_a_worktree_that_goes_away_also_after_ctrl_c(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    for text in ("older", "newer"):
        (tmp_path / "file").write_text(text, encoding="utf-8")
        git(tmp_path, "add", "file")
        git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@b.test", "commit", "--quiet", "--message", text)
    folders = []

    def interrupted() -> None:
        with checked_out("HEAD~1", tmp_path) as folder:
            folders.append(folder)
            assert (folder / "file").read_text(encoding="utf-8") == "older"
            with pytest.raises(NotComparable, match="has no benchmarks"):
                parts_of(sys.executable, folder)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not folders[0].exists()
    assert len(git(tmp_path, "worktree", "list").splitlines()) == 1
    with pytest.raises(NotComparable, match="no-such-commit"), checked_out("no-such-commit", tmp_path):
        pass
