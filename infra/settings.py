"""Settings of a local run: environment variables, checked before anything is started.

``PORT`` (8000), ``TALLYBOOK_LISTEN`` (127.0.0.1; 0.0.0.0 for all addresses, as in a container), ``FRESH=1`` (delete
the tables of earlier runs), ``DEMO=quiet`` (no traders of the demo), ``TALLYBOOK_LOCAL_DIR`` (.local),
``TALLYBOOK_SAVE_EVERY_S`` (30: seconds between saves), and the standard AWS variables: with
``AWS_ENDPOINT_URL_DYNAMODB`` or ``AWS_ENDPOINT_URL`` the run uses that DynamoDB and starts none.
"""

from __future__ import annotations

import random
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
LISTEN = (HOST, "0.0.0.0")
PORT_DEFAULT = 8000
REGION_DEFAULT = "us-east-1"
CREDENTIAL_DEFAULT = "local"
ENGINE_PORT_FILE = "engine-port"
ENGINE_PORTS = (20_000, 30_000)
ENGINE_PORT_TRIES = 20
_THIS_MACHINE = (HOST, "localhost")

_SWITCHES = ("TALLYBOOK_WEBHOOKS_ALLOW_LOCAL",)
"""What a command must know as the run does: whether it may make an endpoint on this machine."""
_WHERE = (
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_DYNAMODB_STREAMS",
    "AWS_DEFAULT_REGION",
    "TALLYBOOK_TABLE_PREFIX",
)
SHELL_VARIABLES = (
    *_WHERE,
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_EC2_METADATA_DISABLED",
    "NO_PROXY",
    "no_proxy",
)

_NOT_FOR_OWN_ENGINE = {
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL_DYNAMODB_STREAMS",
}


class StartRefused(Exception):
    """The run cannot start. The message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one run. listen: the address at which the API accepts connections.

    external_url: the DynamoDB that the user named; None: the run starts its own. engine_port: the port of the last
    run's own DynamoDB in this directory; None: there was none. lively: whether the demo's traders trade.
    """

    port: int
    listen: str
    fresh: bool
    lively: bool
    local_dir: Path
    prefix: str
    external_url: str | None
    engine_port: int | None

    @property
    def base_url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def state_dir(self) -> Path:
        return self.local_dir / "state"


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings in the environment. Raises StartRefused."""
    local_dir = Path(environment.get("TALLYBOOK_LOCAL_DIR") or ROOT / ".local").resolve()
    engine_port = kept_port(local_dir)
    named = environment.get("AWS_ENDPOINT_URL_DYNAMODB") or environment.get("AWS_ENDPOINT_URL") or None
    settings = Settings(
        port=_port(environment.get("PORT") or str(PORT_DEFAULT)),
        listen=_listen(environment.get("TALLYBOOK_LISTEN") or HOST),
        fresh=environment.get("FRESH", "").lower() in {"1", "true", "yes"},
        lively=_is_lively(environment.get("DEMO", "")),
        local_dir=local_dir,
        prefix=environment.get("TALLYBOOK_TABLE_PREFIX") or "tallybook",
        external_url=None if named and engine_port and is_local_port(named, engine_port) else named,
        engine_port=engine_port,
    )
    _refuse_no_seconds(environment.get("TALLYBOOK_SAVE_EVERY_S") or "30")
    if settings.fresh and settings.external_url:
        raise StartRefused(f"FRESH=1 empties the run's own DynamoDB only, not the one at {settings.external_url}.")
    return settings


def _is_lively(text: str) -> bool:
    if text not in ("", "quiet"):
        raise StartRefused(f"DEMO={text} is unknown: leave it out, or say DEMO=quiet.")
    return not text


def refuse_busy_port(port: int, listen: str = HOST) -> None:
    """Raise StartRefused if the port cannot be opened."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listen, port))
            probe.listen()
        except OSError as error:
            way_out = f"Choose another: make run PORT={_other(port)}"
            raise StartRefused(f"Port {port} of {listen} cannot be used ({error.strerror}). {way_out}") from error


def cannot_be_written(path: Path, error: OSError) -> StartRefused:
    """Return the StartRefused for a directory that cannot be written."""
    return StartRefused(
        f"nothing can be kept in {path} ({error.strerror or error}). Name a directory that can be written: "
        "TALLYBOOK_LOCAL_DIR=... make run"
    )


def kept_port(local_dir: Path) -> int | None:
    """Return the port of the last run's own DynamoDB in this directory; None if it had none."""
    try:
        text = (local_dir / ENGINE_PORT_FILE).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return int(text) if text.isdigit() and 1 <= int(text) <= 65_535 else None


def is_local_port(url: str, port: int) -> bool:
    """Return whether a URL is this port on this machine: a run's own DynamoDB, left in a shell by ``source
    .local/env``.
    """
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and parts.hostname in _THIS_MACHINE and parts.port == port
    except ValueError:
        return False


def engine_port(kept: int | None, but: int) -> int:
    """Return the port for a run's own DynamoDB: the last run's if it is free, so that exported variables stay valid.

    A new port is below the ephemeral range, so that it is probably free the next time.
    """
    if kept is not None and kept != but and _is_free(kept):
        return kept
    drawn = (random.randrange(*ENGINE_PORTS) for _ in range(ENGINE_PORT_TRIES))
    return next((port for port in drawn if port != but and _is_free(port)), None) or free_port(but)


def _is_free(port: int) -> bool:
    try:
        refuse_busy_port(port)
    except StartRefused:
        return False
    return True


def socket_port(api_port: int) -> int:
    """Return the port for WebSocket connections: the one after the API's if it is free."""
    after = _other(api_port)
    return after if after != api_port and _is_free(after) else free_port(api_port)


def free_port(but: int) -> int:
    """Return a free port other than ``but``."""
    with socket.socket() as first, socket.socket() as second:
        first.bind((HOST, 0))
        second.bind((HOST, 0))
        ports: list[int] = [first.getsockname()[1], second.getsockname()[1]]
    return ports[0] if ports[0] != but else ports[1]


def engine_environment(url: str, region: str | None, environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment that leads this run's processes to its own engine only.

    region: boto3's default, which is kept so that a command typed in the same shell sees the same tables.
    """
    changed = {name: value for name, value in environment.items() if name not in _NOT_FOR_OWN_ENGINE}
    unproxied = (environment.get("NO_PROXY") or environment.get("no_proxy") or HOST).split(",")
    unproxied += [] if HOST in unproxied else [HOST]
    return changed | {
        "AWS_ENDPOINT_URL": url,
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": CREDENTIAL_DEFAULT,
        "AWS_SECRET_ACCESS_KEY": CREDENTIAL_DEFAULT,
        "AWS_DEFAULT_REGION": region or REGION_DEFAULT,
        "NO_PROXY": ",".join(unproxied),
        "no_proxy": ",".join(unproxied),
    }


def without_engine(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the variables that an earlier run's ``.local/env`` has exported."""
    return {name: value for name, value in environment.items() if name not in SHELL_VARIABLES}


def shell_variables(given: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a shell needs so that its commands see the run's tables and do what the run does.

    Of the user's own variables only those that say where the tables are, and switches: never the user's credentials.
    """
    added = {name: value for name, value in given.items() if name in SHELL_VARIABLES and environment.get(name) != value}
    named = {name: given[name] for name in (*_WHERE, *_SWITCHES) if name in given}
    return added | named


def external_environment(region: str | None, has_credentials: bool, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment, completed for the DynamoDB that the user named. Overrides nothing."""
    changed = dict(environment)
    if region is None:
        changed["AWS_DEFAULT_REGION"] = REGION_DEFAULT
    if not has_credentials:
        changed |= {"AWS_ACCESS_KEY_ID": CREDENTIAL_DEFAULT, "AWS_SECRET_ACCESS_KEY": CREDENTIAL_DEFAULT}
    if "AWS_ENDPOINT_URL" not in environment:
        changed.setdefault("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", environment["AWS_ENDPOINT_URL_DYNAMODB"])
    return changed


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65_535:
        raise StartRefused(f"PORT={text} is no port: a number from 1 to 65535 is. Example: make run PORT=8001")
    return int(text)


def _listen(text: str) -> str:
    if text not in LISTEN:
        raise StartRefused(f"TALLYBOOK_LISTEN={text}: {' or '.join(LISTEN)} is possible.")
    return text


def _refuse_no_seconds(text: str) -> None:
    if not re.fullmatch(r"\d{1,6}(\.\d{1,3})?", text, re.ASCII) or float(text) == 0:
        raise StartRefused(f"TALLYBOOK_SAVE_EVERY_S={text} is no number of seconds above 0.")


def _other(port: int) -> int:
    return port + 1 if port < 65_535 else PORT_DEFAULT
