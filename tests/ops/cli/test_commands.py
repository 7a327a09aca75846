"""Every command is documented, has a help, and an example in it that is a call of it; shells complete it."""

from __future__ import annotations

import inspect
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chalicelib.ops import cli
from chalicelib.ops.cli.failures import WRONG_USAGE
from infra.settings import ROOT
from tests.ops.cli.commands import every_command, example_of

COMMANDS = every_command()
ULID = "ord_01JHMR6K21000000G007SHY5ZT"
IDS = {"KEY_ID": "0" * 64, "TOKEN_ID": "0" * 64, "ORDER": "0x" + "0" * 64}


def documented() -> set[str]:
    """Return the commands, and groups of commands, in the page's table."""
    page = (ROOT / "docs/command-line.md").read_text(encoding="utf-8")
    found: set[str] = set()
    for row in re.findall(r"^\| (`[^|]*) \| ", page, re.MULTILINE):
        group = ""
        for words in re.findall(r"`([^`]+)`", row):
            first, _, rest = words.partition(" ")
            is_name = first in cli.APP
            found.add(words if is_name else f"{group} {words}")
            group = first if rest and is_name else group
    return found


def test_the_page_lists_every_command_and_no_other() -> None:
    groups = {name.rpartition(" ")[0] for name in COMMANDS}
    assert [name for name in COMMANDS if not {name, name.rpartition(" ")[0]} & documented()] == []
    assert {name for name in documented() if name in cli.APP or " " in name} >= groups - {"", "book"}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_help_says_what_it_does_and_ends_in_an_example_of_it(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = inspect.getdoc(COMMANDS[name]) or ""
    assert text.partition("\n")[0].rstrip()[-1:] == "."
    example = example_of(COMMANDS[name], IDS | ({"ORDER": ULID} if name.startswith("orders") else {}))
    assert " ".join(example).startswith(name)
    assert cli._parsed(example).command is COMMANDS[name]
    with pytest.raises(SystemExit) as ended:
        cli.run([*name.split(), "--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert text.partition("$ tallybook ")[2] in printed, "no line of the example is broken"
    assert "--json" in printed


def test_no_option_lacks_a_name_or_a_place_for_its_help() -> None:
    for name, command in COMMANDS.items():
        for parameter in inspect.signature(command).parameters.values():
            assert parameter.kind in (parameter.POSITIONAL_ONLY, parameter.KEYWORD_ONLY), f"{name}: {parameter}"


def complete_bash(script: Path, words: str) -> str:
    asked = f'source {script}; COMP_WORDS=({words} ""); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))'
    function = 'complete -p tallybook | sed -E "s/.*-F ([^ ]+) .*/\\1/"'
    return f'{asked}; "$({function})"; printf "%s\\n" "${{COMPREPLY[@]}}"'


def test_bash_completes_commands_and_their_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.run(["completion", "bash"])
    script = tmp_path / "tallybook.bash"
    script.write_text(capsys.readouterr().out, encoding="utf-8")

    def complete(words: str) -> set[str]:
        line = complete_bash(script, words)
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=30, check=True)
        return {one.strip() for one in done.stdout.splitlines()}

    assert {"orders", "verify", "book"} <= complete("tallybook")
    assert {"create", "watch", "pause"} <= complete("tallybook book")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_names_every_command_and_is_of_its_shell(
    shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.run(["completion", shell])
    script = capsys.readouterr().out
    assert [name for name in COMMANDS if name.split()[-1] not in script] == []
    if shutil.which(shell):
        (tmp_path / "script").write_text(script, encoding="utf-8")
        subprocess.run([shell, "-n", str(tmp_path / "script")], timeout=30, check=True)


def test_an_unknown_command_is_wrong_usage_and_names_the_near_one(capsys: pytest.CaptureFixture[str]) -> None:
    for line, hint in (("bok show x", '"book"'), ("book shw x", '"show"'), ("verify --al", "--all")):
        with pytest.raises(SystemExit) as ended:
            cli.run(line.split())
        assert ended.value.code == 2
        assert hint in capsys.readouterr().err.replace("\\", "")


def test_the_list_of_all_commands_imports_none_of_them_and_says_what_their_helps_say() -> None:
    show = "import sys; from chalicelib.ops import cli\ntry: cli.run(['--help'])\nfinally: print(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", show], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    listed = re.sub(r"[\s│]+", " ", done.stdout)
    for name in cli.COMMANDS:
        line = cli.APP[name].help or inspect.getdoc(cli.APP[name].default_command) or ""
        assert f" {name} {line.partition(chr(10))[0]} " in listed
    assert "botocore" not in listed
    assert "urllib3" not in listed


@pytest.mark.parametrize(
    ("line", "meant"), [("orders list --api_key x", "--api-key"), ("tape ob --api_key=x", "--api-key")]
)
def test_an_option_has_one_name(line: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.run(line.split())
    assert ended.value.code == WRONG_USAGE
    assert f"Did you mean {meant}?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("orders place --book b --customer a --side BUY --quantity 1 --price 1 --type MARKET", "has no price"),
        ("orders amend ord_1 --customer a --price 1 --key short", "8 to 200 characters"),
        ("orders place --book b --customer a --side BUY --quantity 1 --price 1 --key short", "8 to 200 characters"),
        ("instance create --ref acme0001 --service none --service trading", "none enables no service"),
        ("mcp --url http://127.0.0.1:9 --token t", "--token-secret"),
        ("mcp --url http://127.0.0.1:9 --taker-secret s", "--taker-key"),
    ],
)
def test_what_would_be_passed_over_is_wrong_usage(
    line: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tallybook", *line.split()])
    try:
        status: object = cli.main()
    except SystemExit as ended:
        status = ended.code
    error = json.loads(capsys.readouterr().err)["error"]
    assert (status, error["code"]) == (WRONG_USAGE, "USAGE")
    assert words in error["message"]
