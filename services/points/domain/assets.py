"""The words of the ledger: assets, the house's accounts, who funds, what an entry is about."""

from __future__ import annotations

from enum import StrEnum


class Asset(StrEnum):
    """What an account counts: points, or fen of stored value (principal, gift)."""

    POINTS = "POINTS"
    CASH = "CASH"
    BONUS = "BONUS"


class House(StrEnum):
    """The other side of each posting (DOMAIN §3); totals are derived, never stored.

    FUNDING and SETTLEMENT are kept per merchant: the entry's `merchant_id` says whose.
    """

    ISSUED = "ISSUED"
    REDEEMED = "REDEEMED"
    EXPIRED = "EXPIRED"
    BREAKAGE = "BREAKAGE"
    CASH_IN = "CASH_IN"
    CASH_OUT = "CASH_OUT"
    ADJUSTED = "ADJUSTED"
    TRANSFER = "TRANSFER"
    DEBT = "DEBT"
    FUNDING = "FUNDING"
    SETTLEMENT = "SETTLEMENT"


class Funder(StrEnum):
    """Who bears the cost of points: the hotel group, or the merchant that sold."""

    ISSUER = "ISSUER"
    MERCHANT = "MERCHANT"


class EntryKind(StrEnum):
    """What a line of a member's statement is about."""

    CHECKOUT = "CHECKOUT"
    REVERSAL = "REVERSAL"
    TOP_UP = "TOP_UP"
    EXPIRY = "EXPIRY"
    IMPORT = "IMPORT"
    CAPTURE = "CAPTURE"
    MATURING = "MATURING"
    TRANSFER = "TRANSFER"
    ADJUSTMENT = "ADJUSTMENT"
    WITHDRAWAL = "WITHDRAWAL"
    TOP_UP_REFUND = "TOP_UP_REFUND"


class Tender(StrEnum):
    """How money outside the suite changes hands."""

    CASH_MONEY = "CASH_MONEY"
    BANK_CARD = "BANK_CARD"
    WECHAT_PAY = "WECHAT_PAY"
    ALIPAY = "ALIPAY"
    ROOM_CHARGE = "ROOM_CHARGE"


class Category(StrEnum):
    """The kind of trade a line of a purchase belongs to."""

    ROOM = "ROOM"
    DINING = "DINING"
    SPA = "SPA"
    RETAIL = "RETAIL"
    ENTERTAINMENT = "ENTERTAINMENT"
    LAUNDRY = "LAUNDRY"
    OTHER = "OTHER"


class Channel(StrEnum):
    """How a stay was sold; UNSPECIFIED matches no rule that asks."""

    UNSPECIFIED = "UNSPECIFIED"
    DIRECT = "DIRECT"
    OTA = "OTA"
    GROUP = "GROUP"
    AGENCY = "AGENCY"
    CORPORATE = "CORPORATE"
