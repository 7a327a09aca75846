"""The Dockerfile and the compose files, tested without a container engine.

They are checked for the most common mistakes, and the Dockerfile's commands run in a folder with only the files that it
copies.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from dockerfile_parse import DockerfileParser

from infra import settings
from infra.engine import SAVE_BOUND_S
from infra.settings import HOST, ROOT, free_port
from tests.infra.stack import READY_BOUND_S, STOP_BOUND_S

INSTALL_S_MAX = 400
COMPOSE = {name: yaml.safe_load((ROOT / name).read_text()) for name in ("compose.yaml", "compose.durable.yaml")}
IGNORED = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line]


def instructions() -> Iterator[tuple[str, str]]:
    parser = DockerfileParser(fileobj=BytesIO((ROOT / "Dockerfile").read_bytes()))
    for one in parser.structure:
        if one["instruction"] != "COMMENT":
            yield one["instruction"], one["value"]


def values(instruction: str) -> list[str]:
    return [value for name, value in instructions() if name == instruction]


def environment() -> dict[str, str]:
    return dict(re.findall(r"(\w+)=(\S+)", " ".join(values("ENV"))))


def exec_form(value: str) -> list[str]:
    found: list[str] = json.loads(value)
    return found


def copied() -> list[str]:
    return [source for value in values("COPY") for source in value.split()[:-1]]


def test_the_image_is_made_as_its_linters_want_it() -> None:
    names = [name for name, _ in instructions()]
    assert names[0] == "FROM"
    assert re.fullmatch(r"python:3\.1[1-9]-slim", values("FROM")[0])
    assert names.index("USER") > max(place for place, name in enumerate(names) if name == "RUN")
    assert values("USER")[-1] != "root"
    assert "ADD" not in names
    assert len(values("CMD")) == 1
    assert exec_form(values("CMD")[0])[-1] == "infra.local"
    assert not [value for value in values("RUN") if "apt-get" in value or "sudo" in value or "curl" in value]
    assert values("EXPOSE") == [str(settings.PORT_DEFAULT)]
    assert (ROOT / exec_form(values("CMD")[0])[2].replace(".", "/")).with_suffix(".py").exists()


def test_its_variables_are_ones_that_the_run_reads() -> None:
    chosen = settings.read_settings(environment())
    assert (chosen.listen, chosen.local_dir) == ("0.0.0.0", Path("/data"))
    assert values("VOLUME") == ["/data"]
    assert all(name.startswith(("PYTHON", "TALLYBOOK_")) for name in environment())


def test_what_it_copies_is_there_and_what_it_ignores_is_all_else() -> None:
    kept = {line[1:] for line in IGNORED if line.startswith("!")}
    assert IGNORED[0] == "*"
    assert set(copied()) == kept
    for source in copied():
        assert (ROOT / source).exists(), source


def test_the_compose_files_are_sound() -> None:
    whole, durable = COMPOSE["compose.yaml"], COMPOSE["compose.durable.yaml"]
    for file in COMPOSE.values():
        assert set(file) == {"services", "volumes"}
        for service in file["services"].values():
            mounted = {volume.partition(":")[0] for volume in service.get("volumes", [])}
            assert mounted <= set(file["volumes"])
    service = whole["services"]["tallybook"]
    assert service["ports"] == [f"{HOST}:{settings.PORT_DEFAULT}:{settings.PORT_DEFAULT}"]
    assert service["volumes"] == ["data:/data"]
    minutes = re.fullmatch(r"(\d+)m", service["stop_grace_period"])
    assert minutes
    assert int(minutes[1]) * 60 > SAVE_BOUND_S
    given = durable["services"]["tallybook"]["environment"]
    chosen = settings.read_settings(environment() | given)
    assert chosen.external_url == "http://dynamodb:8000"
    assert "dynamodb" in durable["services"]
    assert settings.external_environment(given["AWS_DEFAULT_REGION"], True, given)["AWS_ENDPOINT_URL_DYNAMODB_STREAMS"]


@pytest.mark.stack
def test_its_commands_make_a_run_in_a_folder_that_holds_what_it_copies(tmp_path: Path) -> None:
    root, data, port = tmp_path / "srv", tmp_path / "data", free_port(0)
    root.mkdir()
    data.mkdir()
    patterns = [line.removeprefix("**/") for line in IGNORED if not line.startswith("!") and line != "*"]
    for source in copied():
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, root / source, ignore=ignoring(patterns))
        else:
            shutil.copy(ROOT / source, root / source)
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.symlink_to(getattr(sys, "_base_executable", sys.executable))
    given = {name: value.replace("/data", str(data)) for name, value in environment().items()}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TALLYBOOK_", "VIRTUAL"))}
    within: dict[str, Any] = {
        "cwd": root,
        "env": kept | given | {"PATH": f"{python.parent}:{kept['PATH']}", "PORT": str(port)},
    }
    install = values("RUN")[0]
    subprocess.run(["/bin/sh", "-c", install], check=True, timeout=INSTALL_S_MAX, capture_output=True, **within)
    output = (tmp_path / "output.txt").open("w+")
    run = subprocess.Popen(exec_form(values("CMD")[0]), stdout=output, stderr=subprocess.STDOUT, **within)
    try:
        deadline_s = time.monotonic() + READY_BOUND_S
        while not (data / "demo.json").exists():
            assert run.poll() is None, (tmp_path / "output.txt").read_text()
            assert time.monotonic() < deadline_s
            time.sleep(0.1)
        health = exec_form(values("HEALTHCHECK")[0].partition("CMD ")[2])
        health[-1] = health[-1].replace(str(settings.PORT_DEFAULT), str(port))
        subprocess.run(health, check=True, timeout=10, **within)
        run.send_signal(signal.Signals[values("STOPSIGNAL")[0]])
        assert run.wait(STOP_BOUND_S) == 0
    finally:
        run.kill()
        run.wait()
        output.close()
    assert (data / "state" / "dynamodb.json").exists()


def ignoring(patterns: list[str]) -> Any:
    def ignored(folder: str, names: list[str]) -> set[str]:
        inside = Path(folder).relative_to(ROOT)
        return {
            name for name in names if any(fnmatch.fnmatch(name, one) or str(inside / name) == one for one in patterns)
        }

    return ignored
