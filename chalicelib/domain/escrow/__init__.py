"""Escrow orders: two parties, one order, its money held until both sides are done.

| module | what it is |
| --- | --- |
| ``order`` | pure: orders, payins, payouts, refunds, customers, wallets, merchants |
| ``money`` | pure: amounts, their texts, the fee |
| ``lifecycle`` | pure: what may be done with an order in which status |
| ``commands`` | pure: what is asked of the desk |
| ``checks`` | pure: which fields of a command cannot be what they are |
| ``steps`` | pure: what each command makes of an order, and what it moves |
| ``settings``, ``keys`` | pure: what an operator sets; whose a key is |
| ``committing`` | carries a step out, in one transaction, once |
| ``creation``, ``payments``, ``customers`` | new orders; payins and payouts; customers, wallets, merchants |
| ``desk`` | all commands, and the release of what is due |

Between validation and release lies a delay, which may be none. Every other command is one transaction.
"""
