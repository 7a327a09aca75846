"""The trade desk, rule by rule: a case for each thing that its API promises, in its reference's order.

The other suites ask whether the program is sound; this one whether it is the API that it says it is. Each table below
is a table of the reference, each case one row of it, so the two can be held side by side. Requests come in signed where
HTTP brings them in: at the desk (``TradeApi.answer``), and through the app where paths are what matters.
What the program does otherwise than promised is written down as promised, and marked (``cases.deviates``).
"""
