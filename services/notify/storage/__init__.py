"""Messages, parts, receipts and templates in PostgreSQL."""
