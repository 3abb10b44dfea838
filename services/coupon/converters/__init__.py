"""Between the wire and the rules: pure conversions, no rule and no I/O."""
