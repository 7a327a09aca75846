"""Escrow orders: two parties, one order, its money held until both sides are done.

| module | what it is |
| --- | --- |
| ``order``, ``payments`` | orders, customers, wallets, merchants; payins, payouts, refunds |
| ``money`` | amounts, their texts, the terms of the fee |
| ``lifecycle`` | the state machine of orders |
| ``commands`` | the commands of the desk |
| ``checks`` | validation of a command's fields against what is stored |
| ``step``, ``steps``, ``payment_steps`` | the result of each command, and the money it moves |
| ``settings``, ``keys`` | what an operator sets; API keys |

Every command is one transaction. Between validation and release there may be a delay (E22).
"""
