"""A member's statement as a CSV file, as each merchant may see it."""

from __future__ import annotations

import csv
import io

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from huitouke.gateway.v1 import checkout_pb2, merchant_pb2, partner_service_pb2

from chassis.kernel import Refusal
from chassis.rpc.status import from_rpc_error
from tests.integration.gateway.till import Operator, Till, purchase

HEADER = [
    "posted_at", "kind", "asset", "unit", "amount", "balance_after", "merchant", "rule_code",
    "reference_id",
]  # fmt: skip
Row = dict[str, str]


def rows_of(till: Till, request: partner_service_pb2.ExportStatementRequest) -> list[Row]:
    """The file's rows; the file is whole lines that end with CRLF. Raises Refusal."""
    stream = till.start_stream("ExportStatement", request)
    try:
        content = b"".join(part.csv for part in stream)
    except grpc.RpcError as error:
        raise from_rpc_error(error) from None
    assert content.endswith(b"\r\n")
    header, *rows = csv.reader(io.StringIO(content.decode(), newline=""))
    assert header == HEADER
    return [dict(zip(HEADER, row, strict=True)) for row in rows]


def statement(till: Till, member_id: str, **period: Timestamp) -> list[Row]:
    request = partner_service_pb2.ExportStatementRequest(
        member=checkout_pb2.MemberIdentifier(member_id=member_id), **period
    )
    return rows_of(till, request)


@pytest.fixture
def guest(front_desk: Till, restaurant: Till) -> str:
    """A guest with a top-up, a dinner paid with stored value, and a tab committed for less."""
    member_id = front_desk.member_id()
    front_desk.top_up(member_id, 100_000)
    restaurant.checkout(purchase(member_id, 50_000, stored_value_minor=11_000))
    tab = restaurant.open(member_id, hold_stored_value_minor=22_000).response.checkout
    restaurant.commit(tab.checkout_id, 5_500, pay_stored_value_minor=5_500)
    return member_id


def test_a_statement_adds_up_by_asset_to_the_balances(restaurant: Till, guest: str) -> None:
    rows = statement(restaurant, guest)
    balances = restaurant.balances(guest)
    ends = {"POINTS": balances.points, "CASH": balances.cash_minor, "BONUS": balances.bonus_minor}
    assert [row["kind"] for row in rows[:3]] == ["OPENING"] * 3
    assert {row["asset"]: int(row["balance_after"]) for row in rows[-3:]} == ends
    lines = rows[3:-3]
    for asset, balance in ends.items():
        own = [row for row in lines if row["asset"] == asset]
        assert sum(int(row["amount"]) for row in own) == balance
        assert int(own[-1]["balance_after"]) == balance
    assert {row["kind"] for row in lines} == {"TOP_UP", "PURCHASE"}
    instants = [row["posted_at"] for row in lines]
    assert instants == sorted(instants)


def test_what_happened_elsewhere_shows_its_amounts_and_no_more(
    operator: Operator, front_desk: Till, restaurant: Till, guest: str
) -> None:
    spa = operator.till(category="SPA")
    own, others = statement(restaurant, guest), statement(spa, guest)
    shown = ("posted_at", "kind", "asset", "amount", "balance_after", "merchant")
    assert [[row[name] for name in shown] for row in own] == [
        [row[name] for name in shown] for row in others
    ]
    assert {row["merchant"] for row in own[3:-3]} == {
        front_desk.merchant.name, restaurant.merchant.name,
    }  # fmt: skip
    assert {(row["rule_code"], row["reference_id"]) for row in others} == {("", "")}
    for row in own[3:-3]:
        ours = row["merchant"] == restaurant.merchant.name
        assert bool(row["reference_id"]) is ours
        assert ours or not row["rule_code"]


def test_a_period_has_the_balances_of_its_ends(restaurant: Till, guest: str) -> None:
    whole = statement(restaurant, guest)
    since = Timestamp()
    since.FromJsonString(whole[5]["posted_at"])
    until = Timestamp()
    until.FromJsonString(whole[-4]["posted_at"])
    part = statement(restaurant, guest, since=since, until=until)
    wanted = [
        row for row in whole[3:-3] if whole[5]["posted_at"] <= row["posted_at"]
        and row["posted_at"] < whole[-4]["posted_at"]
    ]  # fmt: skip
    assert part[3:-3] == wanted
    assert wanted
    opening = {row["asset"]: int(row["balance_after"]) for row in part[:3]}
    closing = {row["asset"]: int(row["balance_after"]) for row in part[-3:]}
    for asset, balance in opening.items():
        moved = sum(int(row["amount"]) for row in wanted if row["asset"] == asset)
        assert closing[asset] == balance + moved


def test_a_wrong_period_and_a_missing_scope_are_refused(
    operator: Operator, restaurant: Till, guest: str
) -> None:
    early, late = Timestamp(seconds=1), Timestamp(seconds=2)
    with pytest.raises(Refusal) as refused:
        statement(restaurant, guest, since=late, until=early)
    assert (refused.value.reason, refused.value.fields[0].field) == ("INVALID_FIELD", "until")
    with pytest.raises(Refusal) as refused:
        statement(restaurant, guest, since=Timestamp(seconds=10**15))
    assert (refused.value.reason, refused.value.fields[0].field) == ("INVALID_FIELD", "since")
    key = operator.api_key(restaurant.merchant.merchant_id, [merchant_pb2.SCOPE_CHECKOUT])
    with pytest.raises(Refusal) as refused:
        statement(restaurant.with_key(key.secret_text), guest)
    assert refused.value.reason == "SCOPE_MISSING"
