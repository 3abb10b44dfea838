"""Facts between services: the outbox's relay to Kafka, and the inbox that takes each fact once."""
