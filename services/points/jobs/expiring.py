"""What is due for members whom nobody serves; everybody else's is settled by their next command."""

from __future__ import annotations

from typing import Final

from services.points.domain.commands import SettleDue
from services.points.jobs.walking import Walk
from services.points.storage.queries import due_members

EXPIRING: Final = Walk("expire", due_members, SettleDue)
