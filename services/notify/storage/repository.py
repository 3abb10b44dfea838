"""Loading, locking and saving the book of one batch, in sets."""

from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy import Connection

from chassis.identifiers import in_order
from chassis.storage import sets
from services.notify.domain.book import Book, Message, Part, PartKey
from services.notify.domain.commands import Command, RecordReceipt
from services.notify.domain.messages import Channel, State

_MESSAGE = ("member_id", "message_id", "channel", "template_code", "state", "attempts", "parts")
_PART = ("provider", "provider_message_id", "member_id", "message_id", "part", "outcome")


class MessageRepository:
    """Repository of the executor. Members are locked first, then messages by member and id."""

    saves_blindly = True

    def lock(self, connection: Connection, commands: Sequence[Command]) -> Book:
        """Insert missing members; lock all members and messages of the batch."""
        with sets.pipelined(connection):
            locked = self.lock_later(connection, commands)
        return locked()

    def lock_later(self, connection: Connection, commands: Sequence[Command]) -> Callable[[], Book]:
        """Do the same in the round trip under way."""
        members: sets.Columns = {
            "member_id": ("uuid", in_order({each.member_id for each in commands}))
        }
        sets.insert_columns(connection, "members", members, on_conflict="DO NOTHING")
        versions = sets.select_later(
            connection, "members", members, select=("member_id", "version"), lock=True
        )
        return lambda: Book(versions=dict(versions()))

    def load(self, connection: Connection, book: Book, commands: Sequence[Command]) -> None:
        """Lock the messages, which claims touch without a member's lock, and read their parts."""
        keys = _message_keys({(each.member_id, each.message_id) for each in commands})
        rows = sets.select_by_keys(connection, "messages", keys, select=_MESSAGE, lock=True)
        book.messages = {row[1]: _message(row) for row in rows}
        told = [each for each in commands if isinstance(each, RecordReceipt)]
        keys = _message_keys({(each.member_id, each.message_id) for each in told})
        parts = sets.select_by_keys(connection, "parts", keys, select=_PART)
        for row in parts:
            book.know_part(Part(*row))

    def save(self, connection: Connection, book: Book) -> None:
        """Write what changed."""
        with sets.pipelined(connection):
            _save_members(connection, book)
            _save_messages(connection, [book.messages[each] for each in book.changed_messages])
            _insert_parts(connection, [book.parts[each] for each in sorted(book.new_parts)])
            _update_parts(connection, [book.parts[each] for each in sorted(book.changed_parts)])
            sets.delete_by_keys(connection, "receipts", _part_keys(sorted(book.settled_receipts)))


def _message(row: sets.Row) -> Message:
    member_id, message_id, channel, template_code, state, attempts, parts = row
    return Message(
        member_id, message_id, Channel(channel), template_code, State(state), attempts, parts
    )


def _message_keys(ids: set[tuple[UUID, UUID]]) -> sets.Columns:
    ordered = sorted(ids, key=lambda each: (each[0].int, each[1].int))
    return {
        "member_id": ("uuid", [member_id for member_id, _ in ordered]),
        "message_id": ("uuid", [message_id for _, message_id in ordered]),
    }


def _part_keys(keys: Sequence[PartKey]) -> sets.Columns:
    return {
        "provider": ("text", [provider for provider, _ in keys]),
        "provider_message_id": ("text", [name for _, name in keys]),
    }


def _save_members(connection: Connection, book: Book) -> None:
    changed = sorted(book.changed_members)
    sets.update_from_columns(
        connection,
        "members",
        keys={"member_id": ("uuid", changed)},
        values={"version": ("bigint", [book.versions[each] for each in changed])},
    )


def _save_messages(connection: Connection, messages: Sequence[Message]) -> None:
    """Instants already known stay: a NULL here says that this batch did not set one."""
    columns: sets.Columns = {
        "member_id": ("uuid", [each.member_id for each in messages]),
        "message_id": ("uuid", [each.message_id for each in messages]),
        "state": ("smallint", [int(each.state) for each in messages]),
        "reason": ("text", [each.reason for each in messages]),
        "parts": ("integer", [each.parts for each in messages]),
        "sent_at": ("timestamptz", [each.sent_at for each in messages]),
        "ended_at": ("timestamptz", [each.ended_at for each in messages]),
    }
    sets.execute(connection, _UPDATE_MESSAGES, columns)


_UPDATE_MESSAGES = """
    UPDATE messages AS t
    SET state = v.state, reason = v.reason, parts = v.parts,
        sent_at = coalesce(v.sent_at, t.sent_at), ended_at = coalesce(v.ended_at, t.ended_at)
    FROM unnest(%s::uuid[], %s::uuid[], %s::smallint[], %s::text[], %s::integer[],
                %s::timestamptz[], %s::timestamptz[])
        AS v(member_id, message_id, state, reason, parts, sent_at, ended_at)
    WHERE t.member_id = v.member_id AND t.message_id = v.message_id
"""


_REUSED_NAME = """
    (provider, provider_message_id) DO UPDATE
    SET member_id = excluded.member_id, message_id = excluded.message_id,
        part = excluded.part, outcome = excluded.outcome
"""


def _insert_parts(connection: Connection, parts: Sequence[Part]) -> None:
    sets.insert_columns(
        connection,
        "parts",
        {
            **_part_keys([(each.provider, each.provider_message_id) for each in parts]),
            "member_id": ("uuid", [each.member_id for each in parts]),
            "message_id": ("uuid", [each.message_id for each in parts]),
            "part": ("integer", [each.number for each in parts]),
        },
        on_conflict=_REUSED_NAME,
    )


def _update_parts(connection: Connection, parts: Sequence[Part]) -> None:
    sets.update_from_columns(
        connection,
        "parts",
        keys=_part_keys([(each.provider, each.provider_message_id) for each in parts]),
        values={"outcome": ("text", [each.outcome for each in parts])},
    )
