"""The suite's tests: unit, integration, contract, end to end, and faults."""
