"""``tallybook verify``: checks books and ledgers against their journals, from the first entry on. Writes nothing.

| module | content |
| --- | --- |
| ``views`` | pure: compares snapshot, depth view, candles and terms |
| ``rows`` | pure: compares order rows and fills |
| ``naming`` | pure: compares the rows by which books are found |
| ``money`` | pure: compares accounts, transactions and supply |
| ``signed`` | pure: compares signed orders, their fills and takers' lists |
| ``escrow`` | pure: compares escrow orders, payins, payouts, refunds, customers and their entries of the outbox |
| ``outbox`` | pure: checks that the lanes of the outbox have no gaps |
| ``verifier`` | reads the tables and runs the checks; reads again if books change meanwhile |
| ``report`` | the results, as JSON and as text |

``services.books.fold`` replays a journal, and ``services.books.disagreements`` says where two rows first differ.
docs/verify.md says what is checked, and what cannot be detected.
"""
