"""The rules of the edge: standard library and `chassis.kernel` only, no I/O, no clock."""
