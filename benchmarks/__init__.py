"""Benchmarks: each prints its ratio against the reference it names."""
