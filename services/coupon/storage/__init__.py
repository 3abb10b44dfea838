"""The coupon service's own PostgreSQL database: what the writer saves and what readers ask."""
