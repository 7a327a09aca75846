"""What is said where a row, or what one part of the program hands to another, is not as the program makes it."""

from __future__ import annotations


class Inconsistent(Exception):
    """What is stored or handed on cannot be as it is: a bug, or a row changed by hand.

    Its text is the rule that does not hold, or what is wrong. Never ``assert``: that judges nothing where Python runs
    with -O, and what is stored must be judged wherever the program runs.
    """
