"""Page tokens: opaque to callers, refused when they are not ours or belong to another query."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar
from uuid import UUID

from chassis.kernel.refusals import Category, FieldViolation, Refusal

PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX = 50, 200
_ID_BYTES, _MAC_BYTES = 16, 14  # together a multiple of 3: no padding, no unused bits

T = TypeVar("T")


def page_size(asked: int) -> int:
    """Return the rows of a page: 50 where nothing is asked, 200 at most."""
    return min(asked, PAGE_SIZE_MAX) if asked else PAGE_SIZE_DEFAULT


class PageTokens:
    """Makes and reads tokens of one `service` under a secret `key` of 16 to 64 bytes.

    A token holds the id of the page's last item and a MAC over it and the query, a text that names
    the RPC and its filters.
    """

    def __init__(self, key: bytes, service: str) -> None:
        self._key = key
        self._purpose = f"{service}-pages".encode()[:16]

    def page(self, query: str, rows: Sequence[tuple[UUID, T]], size: int) -> tuple[list[T], str]:
        """Cut `rows`, read with one more than `size`; return the page and the next one's token."""
        page = [item for _, item in rows[:size]]
        return page, self.issue(query, rows[size - 1][0]) if len(rows) > size else ""

    def issue(self, query: str, last: UUID) -> str:
        """Return the token of the page that begins after `last`."""
        return urlsafe_b64encode(last.bytes + self._mac(query, last.bytes)).decode()

    def read(self, query: str, token: str) -> UUID | None:
        """Return the id after which the page begins, None for the first one.

        Raises PAGE_TOKEN_INVALID.
        """
        if not token:
            return None
        last = UUID(bytes=_id_in(token))
        if not hmac.compare_digest(self.issue(query, last).encode(), token.encode()):
            raise token_invalid()
        return last

    def _mac(self, query: str, last: bytes) -> bytes:
        keyed = blake2b(digest_size=_MAC_BYTES, key=self._key, person=self._purpose)
        keyed.update(last + query.encode())
        return keyed.digest()


def token_invalid() -> Refusal:
    """The refusal of a token that this service never gave for this query."""
    message = "it is not one of this query: begin again without it"
    return Refusal(
        Category.INVALID,
        "PAGE_TOKEN_INVALID",
        f"page_token: {message}",
        fields=(FieldViolation("page_token", message),),
    )


def _id_in(token: str) -> bytes:
    """The first bytes of a token, believed by nobody until the token is made again from them."""
    try:
        content = urlsafe_b64decode(token)
    except (Base64Error, ValueError):
        content = b""
    if len(content) < _ID_BYTES:
        raise token_invalid()
    return content[:_ID_BYTES]
