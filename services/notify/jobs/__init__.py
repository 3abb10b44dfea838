"""Time in: sending what is due, applying receipts, and forgetting what is old."""
