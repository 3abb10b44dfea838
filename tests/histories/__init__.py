"""Histories: what guests do over years, done by the service and by the naive model alike."""
