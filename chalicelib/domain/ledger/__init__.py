"""The ledger's rules: amounts, changes of accounts, transactions."""
