"""SMS by SMPP 3.4: PDUs by aiosmpplib's codec, the session and its promises our own."""
