"""docs/operations.md: commands for a local run are run as printed; the others are checked for names and syntax."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from infra.settings import ROOT
from infra.tables import table_definitions
from tests.whole.test_docs import checkout, run  # noqa: F401 - a fixture

PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
LOCAL = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
ON_AWS = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
CONFIG = json.loads((ROOT / ".chalice" / "config.json").read_text(encoding="utf-8"))
FUNCTIONS = {"", *(f"-{name}" for name in CONFIG["lambda_functions"] if name != "api_handler")}
NOT_RESTORED = "requests"


def tables() -> list[dict[str, object]]:
    return [
        one.create_request | {"name": one.name.removeprefix("x-"), "expires": one.expiry_attribute}
        for one in table_definitions("x")
    ]


def looped_over(block: str, of: str) -> list[set[str]]:
    """Return the words of each ``for OF in ...`` of a block."""
    return [set(words.replace('""', "").split(" ")) for words in re.findall(rf"for {of} in (.*?); do", block)]


@pytest.mark.stack
def test_every_command_for_a_local_run_works_as_printed(checkout: Path) -> None:  # noqa: F811
    environment, *blocks = LOCAL
    assert len(blocks) == 10
    printed = [run(f"{environment}\n{block}", checkout) for block in blocks]
    book, trade, taker, escrow, pause, blocked, shown, released, redriven, rebuilt = printed
    assert '"status": "REVOKED"' in book
    assert '"status": "BLOCKED"' in trade
    assert '"enabled": false' in taker
    assert taker.count('"expires_at": "2027-01-31T00:00:00') == 2
    assert escrow.count('"is_enabled": false') == 2
    assert pause.count('"took_effect": true') == 2
    assert [json.loads(line)["data"]["status"] for line in blocked.splitlines()] == ["BLOCKED_RELEASE", "PUBLISHED"]
    parked, one = map(json.loads, shown.splitlines())
    assert (parked, one["order_book_id"], one["parked_at"]) == ({"books": []}, "ob_offchain_001", None)
    told = json.loads(released.splitlines()[-1])
    assert (told["was_parked"], told["is_parked"], told["commands"]) == (False, False, 0)
    assert json.loads(redriven.splitlines()[0])["commands"] == 0
    assert '"orders": 0, "fills": 0' in rebuilt


@pytest.mark.parametrize("number", range(len(ON_AWS)))
def test_a_block_for_aws_is_sound_bash(number: int) -> None:
    done = subprocess.run(["bash", "-n", "-c", ON_AWS[number]], capture_output=True, text=True, timeout=10, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_all_tables_are_restored_but_the_one_that_is_as_good_empty() -> None:
    names = {str(one["name"]) for one in tables()}
    (all_tables,) = (block for block in ON_AWS if "restore-table-to-point-in-time" in block)
    assert looped_over(all_tables, "TABLE") == [names - {NOT_RESTORED}] * 2


def test_what_a_restored_table_lacks_is_what_its_definition_has() -> None:
    (lacking,) = (block for block in ON_AWS if "update-time-to-live" in block)
    expiring, streaming, every = looped_over(lacking, "TABLE")
    assert expiring == {one["name"] for one in tables() if one["expires"] == "expires"} - {NOT_RESTORED}
    assert streaming == {one["name"] for one in tables() if one.get("StreamSpecification")}
    assert every == {one["name"] for one in tables()} - {NOT_RESTORED}


def test_every_table_has_its_line_in_what_follows_when_it_alone_is_restored() -> None:
    _, _, rest = PAGE.partition("### One table")
    listed = re.findall(r"`([a-z-]+)`", " ".join(re.findall(r"^\| (`[^|]*?) \|", rest, re.MULTILINE)))
    assert sorted(listed) == sorted(str(one["name"]) for one in tables())


def test_the_functions_that_are_stopped_are_those_that_there_are() -> None:
    (stopping,) = (block for block in ON_AWS if "reserved-concurrent-executions 0" in block)
    assert looped_over(stopping, "FUNCTION") == [FUNCTIONS]


def test_the_switch_of_a_stage_changes_its_tables_and_nothing_else(tmp_path: Path) -> None:
    shutil.copytree(ROOT / ".chalice", tmp_path / ".chalice")
    (switch,) = (block for block in ON_AWS if "sed -i" in block)
    lines = "\n".join(line for line in switch.splitlines() if line.startswith("sed"))
    for stage in ("dev", "prod"):
        before = CONFIG["stages"][stage]["environment_variables"]
        old, new = before["TALLYBOOK_TABLE_PREFIX"], before["TALLYBOOK_TABLE_PREFIX"] + "-r1"
        run(f"STAGE={stage} OLD={old} NEW={new}\n{lines}", tmp_path)
        config = json.loads((tmp_path / ".chalice" / "config.json").read_text(encoding="utf-8"))
        after = config["stages"][stage]["environment_variables"]
        assert after == before | {"TALLYBOOK_TABLE_PREFIX": new}
        for file in (ROOT / ".chalice").glob(f"policy-{stage}-*.json"):
            policy = (tmp_path / ".chalice" / file.name).read_text(encoding="utf-8")
            assert policy == file.read_text(encoding="utf-8").replace(f":table/{old}-", f":table/{new}-")
            assert f":table/{new}-" in policy
    assert config["app_name"] == CONFIG["app_name"]
