"""The ledger's reports, asked over gRPC as an operator and shown as tables."""
