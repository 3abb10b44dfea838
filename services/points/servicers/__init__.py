"""gRPC in: one file for each gRPC service."""
