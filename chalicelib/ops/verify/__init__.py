"""Proves books from their journals: reads each from its first entry and compares all that is derived from it.

| module | what it is |
| --- | --- |
| ``disagreements`` | pure: what a disagreement is, and where two rows first differ |
| ``fold`` | pure: what the journal of a book gives, entry after entry |
| ``views`` | pure: its snapshot, depth view and terms compared |
| ``rows`` | pure: order rows and fills compared |
| ``money`` | pure: accounts, transactions and supply compared |
| ``signed`` | pure: signed orders, their fills and what takers see compared |
| ``escrow`` | pure: escrow orders, their payins, payouts and refunds, customers and outbox compared |
| ``verifier`` | reads the tables, hands them to the others, reads again when the books move |
| ``report`` | what was proven, for people and for programs |

Nothing here writes. docs/verify.md says what is checked, and what cannot be seen.
"""
