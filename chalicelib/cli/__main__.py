"""``python -m chalicelib.cli`` is ``tallybook``."""

from __future__ import annotations

import sys

from chalicelib.cli import main

sys.exit(main())
