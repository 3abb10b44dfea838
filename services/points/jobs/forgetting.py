"""What the ledger forgets: counters of caps of days on which nothing can be bought any more."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from chassis.storage.housekeeping import Chore
from services.points.domain.purchases import PAST_MAX
from services.points.storage.limits import purge_day_counters

DAY_COUNTERS: Final = Chore("rule_usage", PAST_MAX + timedelta(days=2), purge_day_counters)
"""A counter's day ends within a day of its last change, by any zone and any till's clock; after
PAST_MAX more no purchase is booked on it. Reversals need none (docs/decisions/0140)."""
