"""The book desk and its ledger, rule by rule: a case for each thing that the API promises, in its reference's order.

The other suites ask whether the program is sound; this one whether it is the API that it says it is. Each table below
is a table of the reference, each case one row of it, so the two can be held side by side. Requests come in where HTTP
brings them in: at the desk (``BookApi.answer``), and through the app where paths and methods are what matters.
What the program does otherwise than promised is written down as promised, and marked (``cases.deviates``).
"""
