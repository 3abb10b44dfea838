"""Between the wire and the domain: pure translations, number plans and the lunar calendar."""
