"""Reports: long scans of the whole ledger, a key range at a time, in the caller's snapshot.

Each takes the connection of one REPEATABLE READ read-only transaction, so that services go on
writing while it runs, and keeps sums only: its memory does not grow with the ledger.
"""
