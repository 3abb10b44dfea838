"""Notes as they are remembered: JSON of ids and codes, nothing personal."""

from __future__ import annotations

import json
from uuid import UUID

from gateway.domain.checkouts import Till
from gateway.domain.notes import Note


class NoteCodec:
    """Remembers notes; keys may be added, never renamed, for 30 days."""

    def encode(self, answer: Note) -> bytes:
        till = answer.till
        content = {
            "merchant_id": str(till.merchant_id),
            "outlet_id": str(till.outlet_id),
            "terminal_id": str(till.terminal_id),
            "property_code": till.property_code,
            "time_zone": answer.time_zone,
            "category": answer.category,
            "member_id": str(answer.member_id) if answer.member_id else "",
            "tier": answer.tier,
            "language": answer.language,
            "to_member_id": str(answer.to_member_id) if answer.to_member_id else "",
            "tender": answer.tender,
        }
        return json.dumps(content, separators=(",", ":")).encode()

    def decode(self, data: bytes) -> Note:
        content = json.loads(data)
        till = Till(
            UUID(content["merchant_id"]),
            UUID(content["outlet_id"]),
            UUID(content["terminal_id"]),
            content["property_code"],
        )
        return Note(
            till,
            content["time_zone"],
            content["category"],
            UUID(content["member_id"]) if content["member_id"] else None,
            content["tier"],
            content["language"],
            UUID(content["to_member_id"]) if content.get("to_member_id") else None,
            content.get("tender", 0),
        )
