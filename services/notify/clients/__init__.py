"""The outside world: contacts from the member service, and the providers of SMS and e-mail."""
