"""Runs ministack with DynamoDB's 38 digits: ``python -m infra.exact_engine``.

By itself ministack adds numbers in Python's default decimal context, which keeps 28 digits: a balance above 10**28
base units would lose its last ones without a word. New threads copy the default context, so it is widened before any
starts.
"""

from __future__ import annotations

import decimal
import runpy

DYNAMODB_DIGITS = 38


def main() -> None:
    decimal.DefaultContext.prec = DYNAMODB_DIGITS
    decimal.setcontext(decimal.DefaultContext.copy())
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
