"""The Truust orders API: the escrow desk's dialect."""
