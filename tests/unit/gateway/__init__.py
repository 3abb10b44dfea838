"""The gateway's rules, without servers."""
