"""Brings opening balances from another system into the ledger, from a CSV file."""
