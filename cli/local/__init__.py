"""The local servers of a laptop: PostgreSQL, Kafka, an SMSC and a mail sink, all on loopback."""
