"""The rules of the ledger, pure: `ledger.decide` is the one way in."""
