"""The ledger: every member's points and stored value, and the only place that changes them.

Owns accounts (POINTS, CASH, BONUS), lots with their expiry, holds, the immutable journal of
postings, checkouts as the ledger knows them, top-ups, reversals, movements without a purchase
(family groups, transfers, adjustments, payouts) and the versions of the programme.

Promises: a command has its whole effect or none; one effect per request id, checkout id, hold id,
top-up id, reversal id and movement id, for ever; a hold resolves once; each balance equals its open
lots and its postings, and what is held of it equals the pins of open holds; each asset sums
to zero over members and house accounts; `Quote` answers what `Post` does; one event for each
change, with a gap-free version per member.

Never: knows a member's name, mobile or card; calls another service; changes a posting.
"""
