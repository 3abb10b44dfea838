"""Tests of one part alone, without a server."""
