"""``python -m tests.fuzzing SECONDS [SEED]`` starts a service, sends requests to each desk, and prints what fails."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.fuzzing.run import DESKS, Service
from tests.infra.stack import RunningStack


def main(seconds: int, *seed: str) -> int:
    failed, options = 0, [word for number in seed for word in ("--seed", number)]
    with tempfile.TemporaryDirectory() as name, RunningStack(Path(name) / "local") as stack:
        service, each_s = Service(stack, Path(name)), max(1, seconds // len(DESKS) // 2)
        for desk in DESKS:
            for send in (service.single_requests, service.sequences):
                done = send(desk, each_s, *options)
                print(f"{desk}, {send.__name__}: {sum(done.answers.values())} requests", flush=True)
                if not done.succeeded:
                    failed += 1
                    print(done.output, flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), *sys.argv[2:]))
