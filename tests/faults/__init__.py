"""Tests that kill, stop and delay what the suite depends on, and itself."""
