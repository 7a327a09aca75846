"""The reference at ``/docs``: its page loads files of the service alone, and they are what they say (T132)."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath

import pytest

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.mounts import DOCUMENTS, VENDORED
from chalicelib.apis.reference import FILES
from infra.settings import ROOT

FOLDER = ROOT / "chalicelib/apis/reference"
OWN = sorted(name for path, name in DOCUMENTS.items() if path.startswith("/docs") and "/" not in name)
PACKAGED = {
    "swagger-ui-5.35.0/swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
    "swagger-ui-5.35.0/swagger-ui.css": "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d",
    "noble-hashes-2.4.0/_u64.js": "b09da8c07fe8187c07649494cdb7cd0bcf13df90b506a9473d19e4d5f8c2e102",
    "noble-hashes-2.4.0/sha3.js": "9a81e1edb24eae27b335533220167609cfb58008c5690e140ce478acdc669f32",
    "noble-hashes-2.4.0/utils.js": "037ad49adb78168b6b699598fd33f85f7877456b1d28b4d032e2a1a16807947c",
    "noble-secp256k1-3.2.0/index.js": "ba5aadb469e9208f2da1c9878ab6bb93d2c894f84e6c7ebf9dbf9462741b9fb7",
}
"""SHA-256 of each file of others, as the package swagger-ui-dist, @noble/hashes or @noble/secp256k1 of the version in
its folder's name has it."""


def test_the_files_of_others_are_those_of_their_packages_with_their_licences() -> None:
    assert PACKAGED.keys() == {f"{folder}/{name}" for folder, names in VENDORED.items() for name in names}
    for name, digest in PACKAGED.items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest, name
        assert (FOLDER / name).with_name("LICENSE").exists()


def document(name: str) -> HttpResponse:
    shown = FILES.answer(name, HttpRequest("GET", None, {}, {}, {}, b""))
    assert shown is not None
    return shown


@pytest.mark.parametrize("name", OWN)
def test_own_files_load_what_is_served_and_nothing_from_elsewhere(name: str) -> None:
    path, text = PurePosixPath("/docs" if name == "docs.html" else f"/docs/{name}"), document(name).body
    loaded = re.findall(r'(?:src=|href=|from |import\()"([^"#?]+)', text)
    assert "://" not in "".join(loaded)
    for address in loaded:
        if not address.startswith("data:"):
            assert str(path.parent / address) in DOCUMENTS, address


def test_no_script_and_no_handler_stands_in_the_page() -> None:
    page = document("docs.html").body
    assert re.findall(r"<script[^>]*>([^<]+)</script>", page) == []
    assert re.findall(r" on\w+=|javascript:", page) == []


def test_the_policy_permits_files_of_the_service_alone() -> None:
    rules = dict(rule.split(" ", 1) for rule in document("docs.html").headers["Content-Security-Policy"].split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["connect-src"] == "'self'"
    assert (rules["style-src"], rules["img-src"]) == ("'self' 'unsafe-inline'", "'self' data:")
    assert (rules["frame-ancestors"], rules["base-uri"], rules["form-action"]) == ("'none'",) * 3
