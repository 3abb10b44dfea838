"""Time in: walks through the members (`walking` is how they go), and what is forgotten."""
