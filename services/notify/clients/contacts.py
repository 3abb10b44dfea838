"""Contacts, from the member service, which alone knows names and addresses."""

from collections.abc import Collection, Mapping
from uuid import UUID

from huitouke.member.v1.member_service_pb2 import BatchGetContactsRequest
from huitouke.member.v1.member_service_pb2_grpc import MemberServiceStub

from chassis.rpc.client import Channel
from services.notify.converters.contacts import Recipient, recipient

TIMEOUT_SECONDS = 5.0


class MemberContacts:
    """Asks the member service as the caller `notify`; each use is audited there."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._stub = MemberServiceStub(channel.grpc)

    async def __call__(self, member_ids: Collection[UUID]) -> Mapping[UUID, Recipient]:
        """Return who is known of at most 256 members; raises Refusal when nobody answers."""
        request = BatchGetContactsRequest(member_ids=sorted({str(each) for each in member_ids}))
        response = await self._channel.call(
            self._stub.BatchGetContacts, request, timeout_seconds=TIMEOUT_SECONDS, idempotent=True
        )
        return {UUID(each.member_id): recipient(each) for each in response.contacts}
