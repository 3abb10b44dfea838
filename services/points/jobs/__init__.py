"""Time in: each file is one walk through the members, `walking` is how they go."""
