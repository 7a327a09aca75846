"""The escrow desk, rule by rule: a case for each thing that its API promises, in its reference's order.

The other suites ask whether the program is sound; this one whether it is the API that it says it is. Each table below
is a table of the reference, each case one row of it, so the two can be held side by side. Requests come in where HTTP
brings them in: at the desk (``EscrowApi.answer``), and through the app where paths and bodies are what matters.
What the program does otherwise than promised is written down as promised, and marked (``tables.deviates``).

Two of the reference's tables stand in other suites, word by word: the queries of the list of orders in
``tests/apis/escrow/test_lists.py``, with a naive model beside them, and the fees in
``tests/services/escrow/test_vectors.py``.
"""
