"""Events as any subscriber reads them from Kafka: decoded by their own name, shown as one line."""

import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from google.protobuf import symbol_database
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message

_NO_FIGURES = ("_id", "_at", "_from", "_expiry", "time_zone", "property_code", "currency")
SERVICES = ("member", "points", "coupon", "notify", "gateway")


def load_contracts() -> None:
    """Make every event's type known by name."""
    for service in SERVICES:
        import_module(f"huitouke.{service}.v1.events_pb2")


def decode(event_type: str, payload: bytes) -> Message | None:
    """The event, or None when the type is unknown or the payload is not one."""
    try:
        event: Message = symbol_database.Default().GetSymbol(event_type)()
        event.ParseFromString(payload)
    except (KeyError, DecodeError):
        return None
    return event


def figures(event: Message) -> str:
    """What a person looks for in an event: figures and words, no ids, instants or zeros."""
    fields = MessageToDict(event, preserving_proto_field_name=True)
    return ", ".join(f"{name} {value}" for name, value in _leaves(fields))


def _leaves(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from _leaves(value)
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, Mapping):
                    yield from _leaves(item)
        elif not name.endswith(_NO_FIGURES):
            yield name.removesuffix("_minor"), str(value)


def one_line(event: Message) -> str:
    """The event as compact JSON with the contract's field names."""
    fields = MessageToDict(event, preserving_proto_field_name=True)
    return json.dumps(fields, ensure_ascii=False, separators=(", ", ": "))
