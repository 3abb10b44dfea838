"""Drafts: programmes that are written and tried before they decide anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from services.points.domain.programme import Programme

OPEN_DRAFTS_MAX: Final = 100


class DraftState(StrEnum):
    """Where a draft stands; ACTIVATED and DISCARDED are final."""

    OPEN = "OPEN"
    ACTIVATED = "ACTIVATED"
    DISCARDED = "DISCARDED"


@dataclass(slots=True)
class Draft:
    """A programme that is not in force; `revision` counts its changes from 1.

    `version` is the one it became, None until then.
    """

    draft_id: UUID
    revision: int
    title: str
    state: DraftState
    programme: Programme
    updated_at: datetime
    version: int | None = None
