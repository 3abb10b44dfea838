"""Templates: which version a message is rendered by, the newest ones, and adding one."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from services.notify.domain.commands import AddTemplate
from services.notify.domain.messages import Channel
from services.notify.domain.templates import Language, Shelf, Template, TemplateKey

LISTED_MAX = 1000
_COLUMNS = "code, channel, language, version, subject, body, variables, created_at"
_CODES = sa.text(f"SELECT {_COLUMNS} FROM templates WHERE code = ANY(:codes)")
_NEWEST = sa.text(
    f"""
    SELECT DISTINCT ON (code, channel, language) {_COLUMNS} FROM templates
    ORDER BY code, channel, language, version DESC LIMIT {LISTED_MAX}
    """
)
_INSERT = sa.text(
    f"INSERT INTO templates ({_COLUMNS}) VALUES (:code, :channel, :language, :version, :subject,"
    " :body, :variables, :created_at)"
)
_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtext('notify.templates'))")


def _template(row: Sequence[Any]) -> Template:
    code, channel, language, version, subject, body, variables, created_at = row
    key = TemplateKey(code, Channel(channel), Language(language))
    return Template(key, version, subject, body, tuple(variables), created_at)


def of_codes(connection: Connection, codes: Iterable[str]) -> list[Template]:
    """Return every version of every text with one of these codes."""
    rows = connection.execute(_CODES, {"codes": sorted(set(codes))})
    return [_template(row) for row in rows]


def newest(connection: Connection) -> list[Template]:
    """Return the newest version of each text, by code, channel and language."""
    return [_template(row) for row in connection.execute(_NEWEST)]


class TemplateRepository:
    """Repository of the templates' executor; one batch at a time adds, so that versions count."""

    def lock(self, connection: Connection, commands: Sequence[AddTemplate]) -> Shelf:
        """Keep other batches out until this one ends."""
        del commands
        connection.execute(_LOCK)
        return Shelf()

    def load(self, connection: Connection, shelf: Shelf, commands: Sequence[AddTemplate]) -> None:
        """Read how far the texts' versions go."""
        for template in of_codes(connection, (each.template.key.code for each in commands)):
            known = shelf.versions.get(template.key, 0)
            shelf.versions[template.key] = max(known, template.version)

    def save(self, connection: Connection, shelf: Shelf) -> None:
        """Insert what was added."""
        for template in shelf.added:
            connection.execute(_INSERT, _row(template))


def _row(template: Template) -> dict[str, object]:
    return {
        "code": template.key.code,
        "channel": int(template.key.channel),
        "language": int(template.key.language),
        "version": template.version,
        "subject": template.subject,
        "body": template.body,
        "variables": list(template.variables),
        "created_at": template.created_at,
    }
