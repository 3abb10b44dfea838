"""Transfers and payouts: notes of any release are read, and tenders are the same everywhere."""

from __future__ import annotations

import json
from uuid import UUID

from huitouke.gateway.v1 import checkout_pb2, partner_service_pb2
from huitouke.points.v1 import entry_pb2
from huitouke.type.v1 import tender_kind_pb2

from gateway.converters.activities import from_entry
from gateway.converters.notes import NoteCodec
from gateway.domain.checkouts import Till
from gateway.domain.notes import Note

SOME = UUID("00000000-0000-4000-8000-000000000001")
NOTE = Note(Till(SOME, SOME, SOME, "SH01"), "Asia/Shanghai", 1, SOME, to_member_id=SOME, tender=3)


def test_a_note_keeps_whom_points_go_to_and_how_a_top_up_was_paid() -> None:
    codec = NoteCodec()
    assert codec.decode(codec.encode(NOTE)) == NOTE


def test_a_note_from_before_tenders_were_kept_says_none() -> None:
    codec = NoteCodec()
    content = json.loads(codec.encode(NOTE))
    del content["tender"], content["to_member_id"]
    old = codec.decode(json.dumps(content).encode())
    assert (old.tender, old.to_member_id, old.member_id) == (0, None, SOME)


def test_the_ledgers_tenders_are_the_partners_by_name_and_number() -> None:
    ours = dict(checkout_pb2.TenderKind.items())
    assert {name: int(number) for name, number in tender_kind_pb2.TenderKind.items()} == ours


def test_every_kind_of_entry_is_an_activity() -> None:
    shown = {
        from_entry(entry_pb2.Entry(kind=kind, reference_id=str(SOME)), {}, {}).kind
        for kind in entry_pb2.EntryKind.values()
        if kind
    }
    assert partner_service_pb2.ACTIVITY_KIND_UNSPECIFIED not in shown
