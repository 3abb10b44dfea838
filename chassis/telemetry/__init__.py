"""Telemetry: one typed list of metrics, JSON logs without personal data, a few spans by hand."""
