"""gRPC in: what operators ask about messages and do with templates."""

from datetime import datetime
from typing import Any
from uuid import UUID

from huitouke.notify.v1 import message_pb2
from huitouke.notify.v1 import notify_service_pb2 as pb
from huitouke.notify.v1.notify_service_pb2_grpc import NotifyServiceServicer

from chassis.kernel import Decision
from chassis.rpc.calls import current_call, mark_replayed
from chassis.rpc.pages import PageTokens, page_size
from chassis.storage.executor import Executor, Submission
from chassis.storage.reads import Reads
from chassis.storage.requests import fingerprint
from services.notify.converters.rendering import check, previewed
from services.notify.converters.responses import from_template, to_message, to_template
from services.notify.domain.commands import AddTemplate
from services.notify.domain.messages import Channel
from services.notify.domain.sms import segment, signed
from services.notify.domain.templates import Shelf
from services.notify.storage import queries, templates

TemplateExecutor = Executor[AddTemplate, Shelf, pb.CreateTemplateVersionResponse, None]


def add_template(
    shelf: Shelf, command: AddTemplate, now: datetime
) -> Decision[pb.CreateTemplateVersionResponse, None]:
    """Add a checked template; the answer in wire form, because that is what is remembered."""
    added = shelf.add(command.template, now)
    return Decision(pb.CreateTemplateVersionResponse(template=to_template(added)))


class NotifyServicer(NotifyServiceServicer):
    """Serves huitouke.notify.v1.NotifyService. What each RPC means stands in its contract."""

    def __init__(
        self, *, executor: TemplateExecutor, reads: Reads, key: bytes, signature: str
    ) -> None:
        self._executor, self._reads = executor, reads
        self._key, self._signature = key, signature
        self._tokens = PageTokens(key, "notify")

    async def ListMessages(
        self, request: pb.ListMessagesRequest, context: Any
    ) -> pb.ListMessagesResponse:
        query, size = f"ListMessages {request.member_id}", page_size(request.page_size)
        before = self._tokens.read(query, request.page_token)
        rows = await self._reads.run(
            queries.list_messages, UUID(request.member_id), before, size + 1
        )
        page = rows[:size]
        more = len(rows) > size
        return pb.ListMessagesResponse(
            messages=map(to_message, page),
            next_page_token=self._tokens.issue(query, page[-1].message_id) if more else "",
        )

    async def CreateTemplateVersion(
        self, request: pb.CreateTemplateVersionRequest, context: Any
    ) -> pb.CreateTemplateVersionResponse:
        call, template = current_call(), from_template(request.template)
        check(template)
        done = await self._executor.execute(
            Submission(
                command=AddTemplate(template),
                caller=call.caller,
                request_id=request.request_id,
                fingerprint=fingerprint(request, self._key),
                deadline_monotonic=call.deadline_monotonic,
                traceparent=call.traceparent,
            )
        )
        if done.replayed:
            mark_replayed()
        return done.answer

    async def ListTemplates(
        self, request: pb.ListTemplatesRequest, context: Any
    ) -> pb.ListTemplatesResponse:
        newest = await self._reads.run(templates.newest)
        return pb.ListTemplatesResponse(templates=map(to_template, newest))

    async def PreviewTemplate(
        self, request: pb.PreviewTemplateRequest, context: Any
    ) -> pb.PreviewTemplateResponse:
        template = from_template(request.template)
        text = previewed(template, request.values)
        response = pb.PreviewTemplateResponse(subject=text.subject, body=text.body)
        if template.key.channel is Channel.SMS:
            segmented = segment(signed(text.body, self._signature))
            response.sms_parts = len(segmented.parts)
            response.sms_encoding = segmented.alphabet.name
        return response

    async def CountMessages(
        self, request: pb.CountMessagesRequest, context: Any
    ) -> pb.CountMessagesResponse:
        counts = await self._reads.run(queries.count_messages)
        return pb.CountMessagesResponse(
            counts=[
                pb.StateCount(state=message_pb2.MessageState.ValueType(state), messages=number)
                for state, number in counts
            ]
        )
