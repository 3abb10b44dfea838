"""The rules of membership: pure functions of values; time, ids and randomness are passed in."""
