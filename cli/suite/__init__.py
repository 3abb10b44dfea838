"""The whole suite on one machine: what it consists of, how it is configured, started and ended."""

from cli.suite.layout import PROCESSES, Ports
from cli.suite.suite import Suite

__all__ = ["PROCESSES", "Ports", "Suite"]
