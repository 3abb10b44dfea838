"""A hotel's day told in the terminal, through the gateway, with the books checked at its end."""
