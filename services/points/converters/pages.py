"""Page tokens: where the next page of one query begins, readable only by this service."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.points.domain import errors

_MAC_BYTES = 16
_VERSION_BYTES = 8
_PURPOSE = b"huitouke.points.v1 page token"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a member's statement: entries of versions below `before`, 0 for the newest.

    Only those from `since` to `until`, both included, where they are given; a token fits no other
    query.
    """

    member_id: UUID
    since: datetime | None = None
    until: datetime | None = None
    before: int = 0


def to_token(page: Page, key: bytes) -> str:
    """The opaque token of `page`."""
    version = page.before.to_bytes(_VERSION_BYTES, "big")
    return urlsafe_b64encode(version + _mac(page, version, key)).decode()


def from_token(token: str, query: Page, key: bytes) -> Page:
    """The page of `query` that `token` stands for; refuses PAGE_TOKEN_INVALID."""
    if not token:
        return query
    try:
        content = urlsafe_b64decode(token.encode())
    except ValueError:
        raise errors.page_token_invalid() from None
    version, mac = content[:_VERSION_BYTES], content[_VERSION_BYTES:]
    page = replace(query, before=int.from_bytes(version, "big"))
    if not hmac.compare_digest(mac, _mac(page, version, key)):
        raise errors.page_token_invalid()
    return page


def _mac(page: Page, version: bytes, key: bytes) -> bytes:
    query = f"{page.member_id}|{page.since}|{page.until}".encode()
    return hmac.digest(key, _PURPOSE + version + query, hashlib.sha256)[:_MAC_BYTES]
