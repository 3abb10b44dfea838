"""Tests of the command line and its local servers."""
