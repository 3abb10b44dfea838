"""Messages and templates as the contract shows them, and back."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from huitouke.notify.v1 import message_pb2
from huitouke.type.v1 import language_pb2

from services.notify.converters.events import timestamp
from services.notify.domain.listed import ListedMessage
from services.notify.domain.messages import Channel, State
from services.notify.domain.templates import Language, Template, TemplateKey


def to_message(message: ListedMessage) -> message_pb2.Message:
    """The message; only a delivered one has an instant of delivery."""
    delivered = message.state is State.DELIVERED
    return message_pb2.Message(
        message_id=str(message.message_id),
        member_id=str(message.member_id),
        channel=message_pb2.Channel.ValueType(message.channel),
        template_code=message.template_code,
        template_version=message.template_version,
        state=message_pb2.MessageState.ValueType(message.state),
        reason=message.reason,
        event_id=str(message.event_id),
        event_type=message.event_type,
        queued_at=timestamp(message.queued_at),
        sent_at=_stamp(message.sent_at),
        delivered_at=_stamp(message.ended_at if delivered else None),
        attempts=message.attempts,
        parts=message.parts,
    )


def to_template(template: Template) -> message_pb2.Template:
    return message_pb2.Template(
        code=template.key.code,
        channel=message_pb2.Channel.ValueType(template.key.channel),
        language=language_pb2.Language.ValueType(template.key.language),
        version=template.version,
        subject=template.subject,
        body=template.body,
        variables=template.variables,
        created_at=_stamp(template.created_at),
    )


def from_template(template: message_pb2.Template) -> Template:
    """The template as asked for; its version and instant are the service's to give."""
    key = TemplateKey(template.code, Channel(template.channel), Language(template.language))
    return Template(key, 0, template.subject, template.body, tuple(template.variables))


def _stamp(moment: datetime | None) -> Timestamp | None:
    return None if moment is None else timestamp(moment)
