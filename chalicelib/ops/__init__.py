"""What the operator runs: the command line, and the proof of a book and its ledger."""
