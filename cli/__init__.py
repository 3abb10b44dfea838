"""The `huitouke` command: starts the suite and speaks to it as any outsider would."""
