"""The documents of the service, as files of this folder: ``/docs``, the reference, and the descriptions that it shows.

``kit.mounts.DOCUMENTS`` says at which paths. They are public and the same for everybody. The page loads nothing from
elsewhere, and its policy permits no script but these files (T133).
"""

from __future__ import annotations

from pathlib import Path

from chalicelib.apis.kit.files import Files

FILES = Files(Path(__file__).parent, {"style-src": "'self' 'unsafe-inline'", "img-src": "'self' data:"})
