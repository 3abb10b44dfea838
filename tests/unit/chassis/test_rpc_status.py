"""Refusals survive the wire: to google.rpc.Status and back, reason intact."""

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.refusals import Category, FieldViolation, Refusal
from chassis.rpc.status import (
    CODES,
    DETAILS_KEY,
    from_rpc_error,
    from_status,
    internal_status,
    to_status,
)

SHORT_TEXT = st.text(max_size=40)
REASON = st.from_regex(r"[A-Z][A-Z0-9_]{2,20}", fullmatch=True)


def rpc_error(code: grpc.StatusCode, status: status_pb2.Status | None) -> grpc.aio.AioRpcError:
    trailing = grpc.aio.Metadata()
    if status is not None:
        trailing.add(DETAILS_KEY, status.SerializeToString())
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, details="said by grpc")


@given(
    category=st.sampled_from(Category),
    reason=REASON,
    message=SHORT_TEXT,
    fields=st.lists(st.builds(FieldViolation, SHORT_TEXT, SHORT_TEXT), max_size=5),
    metadata=st.dictionaries(SHORT_TEXT, SHORT_TEXT, max_size=3),
    delay=st.none() | st.floats(0, 3600),
)
def test_a_refusal_comes_back_as_it_went(
    category: Category,
    reason: str,
    message: str,
    fields: list[FieldViolation],
    metadata: dict[str, str],
    delay: float | None,
) -> None:
    sent = Refusal(
        category,
        reason,
        message,
        fields=fields,
        metadata=metadata,
        retry_after_seconds=delay,
    )
    came = from_rpc_error(rpc_error(CODES[category], to_status(sent)))
    assert (came.category, came.reason, came.message) == (category, reason, message)
    assert (came.fields, came.metadata) == (tuple(fields), metadata)
    assert came.passing == sent.passing
    if delay is None:
        assert came.retry_after_seconds is None
    else:
        assert came.retry_after_seconds == pytest.approx(delay, abs=1e-8)


def test_a_status_holds_exactly_one_error_info_of_our_domain() -> None:
    status = to_status(Refusal(Category.NOT_FOUND, "MEMBER_NOT_FOUND", "no such member"))
    infos = [d for d in status.details if d.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)]
    info = error_details_pb2.ErrorInfo()
    infos[0].Unpack(info)
    assert len(status.details) == len(infos) == 1
    assert (info.reason, info.domain) == ("MEMBER_NOT_FOUND", "huitouke")


def test_every_category_has_its_own_code() -> None:
    assert set(CODES) == set(Category)
    assert len(set(CODES.values())) == len(CODES)


@pytest.mark.parametrize(
    ("code", "category", "reason"),
    [
        (grpc.StatusCode.UNAVAILABLE, Category.UNAVAILABLE, "UNAVAILABLE"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Category.TOO_LATE, "DEADLINE_PASSED"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Category.EXHAUSTED, "OVERLOADED"),
        (grpc.StatusCode.CANCELLED, Category.UNAVAILABLE, "UNAVAILABLE"),
        (grpc.StatusCode.UNIMPLEMENTED, Category.UNAVAILABLE, "UNAVAILABLE"),
        (grpc.StatusCode.UNKNOWN, Category.UNAVAILABLE, "INTERNAL"),
    ],
)
def test_an_error_that_grpc_itself_made_is_a_passing_trouble(
    code: grpc.StatusCode, category: Category, reason: str
) -> None:
    refusal = from_rpc_error(rpc_error(code, None))
    assert (refusal.category, refusal.reason, refusal.passing) == (category, reason, True)


def test_a_defect_elsewhere_passes_and_says_nothing_but_internal() -> None:
    refusal = from_status(internal_status())
    assert (refusal.category, refusal.reason) == (Category.UNAVAILABLE, "INTERNAL")
    assert refusal.passing


def test_a_status_of_many_long_field_faults_still_fits_into_trailers() -> None:
    fields = [FieldViolation(f"lines[{n}].{'x' * 300}", "y" * 500) for n in range(500)]
    status = to_status(Refusal(Category.INVALID, "INVALID_FIELD", "z" * 5000, fields=fields))
    assert len(status.SerializeToString()) < 7000
