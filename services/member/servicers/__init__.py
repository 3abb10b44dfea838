"""gRPC in: request to command or query, answer to response; no rule, no SQL."""
