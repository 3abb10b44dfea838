"""Amounts as people read them."""

from huitouke.points.v1 import entry_pb2


def yuan(fen: int) -> str:
    """1234 → "12.34"."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100:,}.{abs(fen) % 100:02d}"


def amount(asset: "entry_pb2.Asset.ValueType", number: int) -> str:
    """Points with thousands apart, stored value in yuan."""
    return f"{number:,}" if asset == entry_pb2.ASSET_POINTS else yuan(number)


def asset_name(asset: "entry_pb2.Asset.ValueType") -> str:
    """POINTS, CASH or BONUS."""
    return entry_pb2.Asset.Name(asset).removeprefix("ASSET_")
