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
_ID_BYTES, _MAC_BYTES = 16, 14  # together a multiple of 3: no padding

T = TypeVar("T")


def page_size(asked: int) -> int:
    """Return the rows of a page: 50 where nothing is asked, 200 at most."""
    return min(asked, PAGE_SIZE_MAX) if asked else PAGE_SIZE_DEFAULT


class PageTokens:
    """Makes and reads tokens of one `service` under a secret `key` of 16 to 64 bytes.

    A token holds where the page begins and a MAC over that and the query, a text that names the RPC
    and its filters. Where it begins is the id of the former page's last item, or bytes of the
    caller's own (`seal`, `unseal`).
    """

    def __init__(self, key: bytes, service: str) -> None:
        self._key = key
        self._ids = f"{service}-pages".encode()[:16]
        self._contents = f"{service}-sealed".encode()[:16]

    def page(self, query: str, rows: Sequence[tuple[UUID, T]], size: int) -> tuple[list[T], str]:
        """Cut `rows`, read with one more than `size`; return the page and the next one's token."""
        page = [item for _, item in rows[:size]]
        return page, self.issue(query, rows[size - 1][0]) if len(rows) > size else ""

    def issue(self, query: str, last: UUID) -> str:
        """Return the token of the page that begins after `last`."""
        return self._token(self._ids, last.bytes, last.bytes + query.encode())

    def read(self, query: str, token: str) -> UUID | None:
        """Return the id after which the page begins, None for the first one.

        Raises PAGE_TOKEN_INVALID.
        """
        if not token:
            return None
        content = _content_of(token)
        if len(content) != _ID_BYTES:
            raise token_invalid()
        last = UUID(bytes=content)
        _check(token, self.issue(query, last))
        return last

    def seal(self, query: str, content: bytes) -> str:
        """Return the token that holds `content`, which callers could read but not change."""
        length = len(content).to_bytes(4, "big")
        return self._token(self._contents, content, length + content + query.encode())

    def unseal(self, query: str, token: str) -> bytes:
        """Return what a token of `seal` holds; raises PAGE_TOKEN_INVALID for any other text."""
        content = _content_of(token)
        _check(token, self.seal(query, content))
        return content

    def _token(self, purpose: bytes, content: bytes, covered: bytes) -> str:
        mac = blake2b(covered, digest_size=_MAC_BYTES, key=self._key, person=purpose)
        return urlsafe_b64encode(content + mac.digest()).decode()


def token_invalid() -> Refusal:
    """The refusal of a token that this service never gave for this query."""
    message = "it is not one of this query: begin again without it"
    return Refusal(
        Category.INVALID,
        "PAGE_TOKEN_INVALID",
        f"page_token: {message}",
        fields=(FieldViolation("page_token", message),),
    )


def _content_of(token: str) -> bytes:
    """What a token says, believed by nobody until the token is made again from it."""
    try:
        return urlsafe_b64decode(token)[:-_MAC_BYTES]
    except (Base64Error, ValueError):
        raise token_invalid() from None


def _check(token: str, made: str) -> None:
    """Compare as text: base64 leaves several spellings of the same bytes."""
    if not hmac.compare_digest(made.encode(), token.encode()):
        raise token_invalid()
