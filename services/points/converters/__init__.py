"""Domain and protobuf, both ways; pure."""
