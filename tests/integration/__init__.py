"""Tests of a part against real PostgreSQL and Kafka."""
