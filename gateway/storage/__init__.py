"""The gateway's database: rows in sets, reads, the queue of what is unfinished."""
