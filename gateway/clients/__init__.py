"""The services the gateway calls, behind the Protocols that its domain and servicers name."""
