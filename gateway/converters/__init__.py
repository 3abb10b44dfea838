"""Protobuf to domain and back, and between the edge's contract and the services'; pure."""
