"""The taker desk, rule by rule: a case for each thing that its API promises, in its reference's order.

The suites of services, tables and domain ask whether the program is sound; this one whether it is the API that it says
it is. Each table is a table of the reference, each case one row of it, so the two can be held side by side. Requests
come in where HTTP brings them in: at the desk (``TakerApi.answer``), and through the app where paths are what matters.
What the program does otherwise than promised is written down as promised, and marked (``tests.case_tables.deviates``).
"""
