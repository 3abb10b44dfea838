"""Tests of the whole suite through its gateway."""
