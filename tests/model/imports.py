"""Opening balances from another system: each row a lot, in once for ever."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from huitouke.points.v1.entry_pb2 import ASSET_BONUS, ASSET_CASH, ASSET_POINTS
from huitouke.points.v1.purchase_pb2 import FUNDER_ISSUER

from tests.model.guests import BONUS, CASH, POINTS, Facts, Refused

if TYPE_CHECKING:
    from tests.model.ledger import Ledger

NAMES = {POINTS: ASSET_POINTS, CASH: ASSET_CASH, BONUS: ASSET_BONUS}


class Row(NamedTuple):
    """A row of a file: its line and what the other system calls it, and what it says."""

    import_id: str
    line: int
    reference: str
    member_id: str
    asset: str
    amount: int
    earned_at: datetime
    expires_at: datetime | None


def bring_in(ledger: Ledger, row: Row) -> Facts:
    """Nothing the second time; nothing but the same under its reference."""
    known = ledger.rows.get((row.import_id, row.reference))
    if known == row:
        return {"rows_repeated": 1, "rows_imported": 0}
    if known:
        raise Refused("IMPORT_REFERENCE_TAKEN" if known.line != row.line else "IMPORT_ROW_DIFFERS")
    if row.earned_at > ledger.now:
        raise Refused("EARNED_IN_FUTURE")
    if row.expires_at and row.asset == CASH:
        raise Refused("CASH_NEVER_EXPIRES")
    if row.expires_at and row.expires_at <= ledger.now:
        raise Refused("IMPORT_ROW_EXPIRED")
    guest = ledger.guest(row.member_id)
    guest.settle(ledger.now)
    limit = ledger.programme_at(ledger.now).stored_value.balance_limit_minor
    if row.asset != POINTS and guest.balance(CASH) + guest.balance(BONUS) + row.amount > limit:
        raise Refused("BALANCE_LIMIT")

    if row.asset == POINTS:
        ledger.funded[FUNDER_ISSUER] += row.amount
    ledger.rows[row.import_id, row.reference] = row
    guest.put(row.asset, row.amount, row.earned_at, row.expires_at)
    facts = {
        "import_id": row.import_id,
        "reference": row.reference,
        "imported_at": ledger.now,
        "asset": NAMES[row.asset],
        "amount": row.amount,
        "earned_at": row.earned_at,
        "expires_at": row.expires_at,
    }
    guest.tell(ledger.now, "BalanceImported", facts)
    return {"rows_repeated": 0, "rows_imported": 1}
