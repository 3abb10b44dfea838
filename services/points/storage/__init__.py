"""How the ledger lies in PostgreSQL."""
