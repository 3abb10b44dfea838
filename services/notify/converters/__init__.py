"""Between the contract's messages, the domain's values and rendered texts; pure."""
