"""The points service's storage in memory: a fake that passes the contract of the real one."""
