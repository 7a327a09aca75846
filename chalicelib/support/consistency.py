"""The error for broken invariants, in stored rows and in values passed between parts of the program."""

from __future__ import annotations


class Inconsistent(Exception):
    """An invariant is broken: a bug, or a row edited by hand. The message is the violated rule.

    Used instead of ``assert``, which does nothing under ``python -O``.
    """
