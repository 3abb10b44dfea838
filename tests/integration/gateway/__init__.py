"""The gateway against real PostgreSQL, Kafka and the real services."""
