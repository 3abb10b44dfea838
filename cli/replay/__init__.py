"""Replays a file of hotel bookings through the gateway, and compares the ledger with it."""
