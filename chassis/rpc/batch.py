"""`Batch...` RPCs on both sides: each item validated alone, with its own deadline and outcome.

The proto shape, the same in every service:

    message BatchPostItem {
      PostRequest request = 1;
      google.protobuf.Duration timeout = 2;
      string traceparent = 3;
    }
    message BatchPostOutcome {
      oneof result { PostResponse response = 1; google.rpc.Status error = 2; }
      bool replayed = 3;
    }
    message BatchPostRequest { repeated BatchPostItem items = 1; }         // at most 256
    message BatchPostResponse { repeated BatchPostOutcome outcomes = 1; }  // in the items' order
"""

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, NamedTuple, Protocol, TypeVar

import grpc
from google.protobuf.message import Message

from chassis.kernel.refusals import Category, Refusal
from chassis.rpc import calls, validation
from chassis.rpc.client import Channel
from chassis.rpc.coalescer import CallBatch, Item
from chassis.rpc.status import from_status, to_status
from chassis.telemetry import traces

Req = TypeVar("Req", bound=Message)
Resp = TypeVar("Resp", bound=Message)
Sub = TypeVar("Sub")
Sub_contra = TypeVar("Sub_contra", contravariant=True)
Answer = TypeVar("Answer")
Answer_co = TypeVar("Answer_co", covariant=True)


class ItemContext(NamedTuple):
    """What a single call would have in its `Call`; actor and caller are those of the batch."""

    caller: str
    deadline_monotonic: float
    traceparent: str
    actor: calls.Actor


class Replayable(Protocol[Answer_co]):
    """`chassis.storage.executor.Executed`: an answer and whether it was remembered."""

    @property
    def answer(self) -> Answer_co: ...
    @property
    def replayed(self) -> bool: ...


class RunsMany(Protocol[Sub_contra, Answer_co]):
    """`chassis.storage.executor.Executor`: one outcome for each submission, in their order."""

    async def execute_many(
        self,
        submissions: Sequence[Sub_contra],
    ) -> Sequence[Replayable[Answer_co] | Refusal]: ...


async def run_batch(
    items: Sequence[Any],
    build: Callable[[Any, ItemContext], Sub],
    executor: RunsMany[Sub, Answer],
) -> list[Replayable[Answer] | Refusal]:
    """Run a batch's items, each as the single call would; one outcome an item, in their order.

    `build(request, context)` makes the submission and may raise Refusal, as validation may: that
    item alone is refused. An item without a timeout has the batch call's deadline.
    """
    call = calls.current_call()
    outcomes: list[Replayable[Answer] | Refusal | None] = [None] * len(items)
    submissions: list[Sub] = []
    places: list[int] = []
    for place, item in enumerate(items):
        try:
            submission = _admit(item, call, build)
        except Refusal as refusal:
            outcomes[place] = refusal
        else:
            submissions.append(submission)
            places.append(place)
    if submissions:
        done = await executor.execute_many(submissions)
        for place, outcome in zip(places, done, strict=True):
            outcomes[place] = outcome
    return [outcome for outcome in outcomes if outcome is not None]


def fill_outcomes(
    response: Any,
    results: Sequence[Replayable[Answer] | Refusal],
    convert: Callable[[Answer], Message],
) -> Any:
    """Put results into a `Batch...Response` and return it; `convert` as in the single RPC."""
    for result in results:
        outcome = response.outcomes.add()
        if isinstance(result, Refusal):
            outcome.error.CopyFrom(to_status(result))
        else:
            outcome.response.CopyFrom(convert(result.answer))
        outcome.replayed = result.replayed
    return response


def batch_call(
    channel: Channel,
    method: grpc.aio.UnaryUnaryMultiCallable[Any, Any],
    request_class: type[Any],
    *,
    idempotent: bool = True,
) -> CallBatch[Any, Any]:
    """The `call_batch` of a Coalescer over a `Batch...` RPC; responses are the single RPC's.

    post = Coalescer(batch_call(points, stub.BatchPost, pb.BatchPostRequest), name="BatchPost")
    response = await post.call(pb.PostRequest(...), timeout_seconds=2.0)
    """

    async def call_batch(items: Sequence[Item[Any]]) -> list[Any]:
        request = request_class()
        for item in items:
            added = request.items.add(traceparent=item.traceparent)
            added.request.CopyFrom(item.request)
            added.timeout.FromNanoseconds(int(item.remaining_seconds() * 1e9))
        response = await channel.call(
            method,
            request,
            timeout_seconds=max(item.remaining_seconds() for item in items),
            idempotent=idempotent,
        )
        return [_outcome(outcome) for outcome in response.outcomes]

    return call_batch


def _admit(item: Any, call: calls.Call, build: Callable[[Any, ItemContext], Sub]) -> Sub:
    validation.validate_alone(item.request, may_hold_nul=call.may_hold_nul)
    deadline = call.deadline_monotonic
    if item.HasField("timeout"):
        deadline = min(deadline, monotonic() + item.timeout.ToNanoseconds() / 1e9)
    if deadline <= monotonic():
        raise Refusal(Category.TOO_LATE, "DEADLINE_PASSED", "the item's deadline passed")
    traceparent = _traceparent(item.traceparent, call)
    return build(item.request, ItemContext(call.caller, deadline, traceparent, call.actor))


def _traceparent(text: str, call: calls.Call) -> str:
    return text if text and traces.is_traceparent(text) else call.traceparent


def _outcome(outcome: Any) -> Any:
    if outcome.WhichOneof("result") == "response":
        return outcome.response
    refusal = from_status(outcome.error)
    refusal.replayed = outcome.replayed
    return refusal
