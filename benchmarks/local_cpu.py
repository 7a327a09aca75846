"""CPU of the local run for one order that is placed and cancelled: ``python benchmarks/local_cpu.py``.

It starts ``python -m infra.local`` in a folder and on ports of its own, places orders over one HTTP connection and
cancels each, and adds up the CPU time (user and system) of all processes of the run, by the tree of process ids. What
the run uses in the same time without requests is measured before and subtracted. Other load on the machine raises the
figures, through caches and shared cores: compare only what is measured in turn.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from chalicelib.apis.book.routes import ONE_ORDER, PLACE
from chalicelib.apis.kit.routing import filled
from infra.demo import BOOK, CUSTOMERS
from infra.settings import HOST, ROOT, free_port

PARTS = {"infra.local": "matcher", "infra.serve": "server", "infra.exact_engine": "engine"}
"""The processes of a run, by the module that each runs. The first one polls the stream, matches and closes."""
IDLE_S = 3.0
START_S_MAX, STOP_S_MAX, ANSWER_S_MAX = 60, 60, 30
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class LocalCpu:
    """CPU in ms: of one placement, and of one cancel, by process; idle_percent: of one core, of all processes."""

    place: dict[str, float]
    cancel: dict[str, float]
    idle_percent: float

    @property
    def total_ms(self) -> float:
        return sum(self.place.values()) + sum(self.cancel.values())


def local_run_cpu_ms(orders: int = 200) -> LocalCpu:
    """Measure placing and cancelling so many orders on a local run of its own. Linux only: it reads /proc."""
    with tempfile.TemporaryDirectory() as folder, _local_run(Path(folder)) as (process, demo):
        connection = http.client.HTTPConnection(HOST, int(demo["base_url"].rpartition(":")[2]), timeout=ANSWER_S_MAX)
        desk = _Desk(connection, demo["book_desk"]["api_key"])
        for _ in range(20):
            desk.cancel(desk.place())
        began_s, before = monotonic(), _cpu_ms(process.pid)
        sleep(IDLE_S)
        idle = _less(_cpu_ms(process.pid), before, 0, {})
        idle_ms_per_s = {name: ms / (monotonic() - began_s) for name, ms in idle.items()}
        began_s, before = monotonic(), _cpu_ms(process.pid)
        placed = [desk.place() for _ in range(orders)]
        place = _less(_cpu_ms(process.pid), before, monotonic() - began_s, idle_ms_per_s)
        began_s, before = monotonic(), _cpu_ms(process.pid)
        for order_id in placed:
            desk.cancel(order_id)
        cancel = _less(_cpu_ms(process.pid), before, monotonic() - began_s, idle_ms_per_s)
        connection.close()
    return LocalCpu(
        {name: ms / orders for name, ms in place.items()},
        {name: ms / orders for name, ms in cancel.items()},
        sum(idle_ms_per_s.values()) / 10,
    )


class _Desk:
    """The book desk of a run, over one connection."""

    def __init__(self, connection: http.client.HTTPConnection, api_key: str) -> None:
        self._connection = connection
        self._headers = {"x-api-key": api_key, "content-type": "application/json"}

    def place(self) -> str:
        order = {
            "orderBookId": BOOK, "customerRef": CUSTOMERS[0], "side": "SELL", "orderType": "LIMIT",
            "price": "2000000000000000000", "quantity": "1000000000000000000", "timeInForce": "GTC",
        }  # fmt: skip
        return str(self._asked("POST", PLACE, order)["data"]["id"])

    def cancel(self, order_id: str) -> None:
        answer = self._asked("DELETE", filled(ONE_ORDER, {"orderId": order_id}), {"customerRef": CUSTOMERS[0]})
        assert answer["data"]["status"] == "CANCELLED", answer

    def _asked(self, method: str, path: str, body: Any) -> Any:
        self._connection.request(method, path, json.dumps(body), self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        assert answer.status < http.client.MULTIPLE_CHOICES, (answer.status, content)
        return json.loads(content)


@contextmanager
def _local_run(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Any]]:
    """Run the service inside this context: its process, and what its demo.json says."""
    environment = os.environ | {"TALLYBOOK_LOCAL_DIR": str(folder), "PORT": str(free_port(0))}
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "FRESH"):
        environment.pop(name, None)
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "infra.local"], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
        try:
            deadline_s = monotonic() + START_S_MAX
            while not (folder / "demo.json").exists():
                assert process.poll() is None, (folder / "output.txt").read_text(encoding="utf-8")
                assert monotonic() < deadline_s, "the run does not start"
                sleep(0.1)
            yield process, json.loads((folder / "demo.json").read_text(encoding="utf-8"))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(STOP_S_MAX)


def _cpu_ms(root: int) -> dict[str, float]:
    """Return the CPU that a process and all its descendants have used, by the part of the run."""
    used: dict[str, float] = {}
    for pid in _tree(root):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        name = next((part for module, part in PARTS.items() if module in command), "other")
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        user, system, of_children_user, of_children_system = map(int, fields[11:15])
        ticks = user + system + (of_children_user + of_children_system if pid != root else 0)
        used[name] = used.get(name, 0.0) + 1000 * ticks / _TICKS_PER_S
    return used


def _tree(root: int) -> list[int]:
    found, left = [], [root]
    while left:
        pid = left.pop()
        found.append(pid)
        for task in Path(f"/proc/{pid}/task").iterdir():
            left += map(int, (task / "children").read_text(encoding="ascii").split())
    return found


def _less(after: dict[str, float], before: dict[str, float], for_s: float, idle: dict[str, float]) -> dict[str, float]:
    return {name: ms - before.get(name, 0.0) - for_s * idle.get(name, 0.0) for name, ms in after.items()}


def main() -> None:
    found = local_run_cpu_ms()
    print(f"{'CPU in ms':<12}{'placement':>12}{'cancel':>10}{'both':>8}")
    for name in found.place:
        place, cancel = found.place[name], found.cancel[name]
        print(f"{name:<12}{place:12.1f}{cancel:10.1f}{place + cancel:8.1f}")
    print(f"{'all':<12}{sum(found.place.values()):12.1f}{sum(found.cancel.values()):10.1f}{found.total_ms:8.1f}")
    print(f"idle: {found.idle_percent:.1f} % of a core")


if __name__ == "__main__":
    main()
