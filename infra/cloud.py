"""``make cloud``: deploy the service into a cloud embedded in this machine. Needs only Python.

It starts ministack, with every AWS service that a deployment needs, on the loopback address, and runs the same code as
``make deploy`` against it. All data is gone when it stops. docs/deploy.md lists how it differs from AWS;
``infra/embedded.py`` holds the code for the differences.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType

from infra import deploy
from infra.engine import engine_answers
from infra.processes import Child, on_stop_signal
from infra.settings import CREDENTIAL_DEFAULT, HOST, REGION_DEFAULT, free_port

SERVICES = (
    "apigateway",
    "cloudformation",
    "dynamodb",
    "dynamodbstreams",
    "events",
    "iam",
    "kms",
    "lambda",
    "logs",
    "monitoring",
    "s3",
    "sqs",
    "ssm",
    "sts",
)
START_S_MAX, STOP_S_MAX = 30.0, 20.0
POLL_S = 0.05
WATCH_S = 0.5
STAGE = "dev"
_OF_ANOTHER_CLOUD = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION")
_PASSED_ON = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ")


class CloudFailed(Exception):
    """The embedded cloud did not start, or it ended by itself. The message says which."""


def start_cloud(port: int) -> Child:
    """Start the embedded cloud and wait until it answers. Raises CloudFailed."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment |= {
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "SERVICES": ",".join(SERVICES),
        "LAMBDA_EXECUTOR": "local",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "ERROR",
    }
    cloud = Child("the embedded cloud", [sys.executable, "-m", "infra.exact_engine"], environment, signal.SIGINT)
    deadline_s = time.monotonic() + START_S_MAX
    while not engine_answers(port):
        if cloud.exit_code() is not None or time.monotonic() > deadline_s:
            cloud.stop(STOP_S_MAX)
            raise CloudFailed(f"the embedded cloud does not answer on port {port}")
        time.sleep(POLL_S)
    return cloud


def cloud_environment(port: int) -> dict[str, str]:
    """Return the environment variables that point boto3 at the embedded cloud only."""
    return {
        "AWS_ENDPOINT_URL": f"http://{HOST}:{port}",
        "AWS_ACCESS_KEY_ID": CREDENTIAL_DEFAULT,
        "AWS_SECRET_ACCESS_KEY": CREDENTIAL_DEFAULT,
        "AWS_DEFAULT_REGION": REGION_DEFAULT,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def main(options: Sequence[str]) -> int:
    """Start the cloud, deploy the stage ``dev`` with these options, and keep running until a stop signal."""
    on_stop_signal(_stop)
    port = int(os.environ.get("PORT") or free_port(but=0))
    try:
        cloud = start_cloud(port)
    except CloudFailed as failure:
        print(f"cloud: {failure}", file=sys.stderr)
        return 1
    try:
        for name in _OF_ANOTHER_CLOUD:
            os.environ.pop(name, None)
        os.environ.update(cloud_environment(port))
        exit_code = deploy.main(["deploy", "--stage", STAGE, "--yes", *options])
        if exit_code == 0:
            print(_ready(port), flush=True)
            while cloud.exit_code() is None:
                time.sleep(WATCH_S)
            print("cloud: the embedded cloud ended by itself", file=sys.stderr)
            exit_code = 1
    except KeyboardInterrupt:
        exit_code = 0
    finally:
        cloud.stop(STOP_S_MAX)
    return exit_code


def _ready(port: int) -> str:
    variables = "".join(f"export {name}={value}\n" for name, value in cloud_environment(port).items())
    return (
        f"\nThe embedded cloud runs until Ctrl-C. For the AWS command line and for tallybook, in another terminal:\n"
        f"{variables}export TALLYBOOK_TABLE_PREFIX=tallybook-{STAGE}"
    )


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
