"""The partners' edge: merchants, their tills and keys, and the checkouts that span services.

Owns who may call, and the record of every checkout and refund from its first instant to its end on
every participant. Promises that each ends COMMITTED or CANCELLED everywhere, whatever crashes.
Never keeps or logs personal data, never decides what a rule of the ledger or of coupons says.
"""
