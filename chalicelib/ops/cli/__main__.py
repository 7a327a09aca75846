"""``python -m chalicelib.ops.cli`` is ``tallybook``."""

from __future__ import annotations

import sys

from chalicelib.ops.cli import main

sys.exit(main())
