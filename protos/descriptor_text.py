"""Writes a FileDescriptorProto as .proto text, for contracts published only in compiled form."""

from collections.abc import Iterator, Sequence

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

_SCALARS = {
    value: FieldDescriptorProto.Type.Name(value).removeprefix("TYPE_").lower()
    for value in FieldDescriptorProto.Type.values()
}
_NAMED = (FieldDescriptorProto.TYPE_MESSAGE, FieldDescriptorProto.TYPE_ENUM)
_LABELS = {
    FieldDescriptorProto.LABEL_OPTIONAL: "optional ",
    FieldDescriptorProto.LABEL_REQUIRED: "required ",
    FieldDescriptorProto.LABEL_REPEATED: "repeated ",
}


def proto_text(file: FileDescriptorProto) -> str:
    """The proto2 source that compiles to `file`, without its comments and its fields' options.

    Fields, numbers, labels, oneofs, enums, reserved and extension ranges and extensions are
    kept. Groups and default values aren't supported: a file that has one is refused.
    """
    if file.syntax not in ("", "proto2"):
        raise ValueError(f"{file.name} is {file.syntax}; only proto2 is written out")
    lines = ['syntax = "proto2";', "", f"package {file.package};", ""]
    lines += [f'import "{dependency}";' for dependency in file.dependency]
    for enum in file.enum_type:
        lines += ["", *_enum(enum)]
    for message in file.message_type:
        lines += ["", *_message(message)]
    for extension in file.extension:
        field = _field(extension, in_oneof=False)
        lines += ["", f"extend {extension.extendee} {{", f"  {field}", "}"]
    return "\n".join(lines) + "\n"


def _message(message: DescriptorProto) -> Iterator[str]:
    maps = [nested for nested in message.nested_type if nested.options.map_entry]
    if maps:
        raise ValueError(f"{message.name} has a map field, which isn't written out")
    yield f"message {message.name} {{"
    for nested in message.nested_type:
        yield from _indented(list(_message(nested)))
    for enum in message.enum_type:
        yield from _indented(list(_enum(enum)))
    yield from _indented(list(_fields(message)))
    for reserved in message.reserved_range:
        yield f"  reserved {_range(reserved.start, reserved.end)};"
    if message.reserved_name:
        yield "  reserved " + ", ".join(f'"{name}"' for name in message.reserved_name) + ";"
    for extensions in message.extension_range:
        yield f"  extensions {_range(extensions.start, extensions.end)};"
    yield "}"


def _fields(message: DescriptorProto) -> Iterator[str]:
    for index, oneof in enumerate(message.oneof_decl):
        yield f"oneof {oneof.name} {{"
        for field in message.field:
            if field.HasField("oneof_index") and field.oneof_index == index:
                yield f"  {_field(field, in_oneof=True)}"
        yield "}"
    for field in message.field:
        if not field.HasField("oneof_index"):
            yield _field(field, in_oneof=False)


def _field(field: FieldDescriptorProto, *, in_oneof: bool) -> str:
    if field.type == FieldDescriptorProto.TYPE_GROUP or field.HasField("default_value"):
        raise ValueError(f"{field.name} is a group or has a default, which isn't written out")
    type_name = field.type_name if field.type in _NAMED else _SCALARS[field.type]
    label = "" if in_oneof else _LABELS[field.label]
    packed = " [packed = true]" if field.options.packed else ""
    return f"{label}{type_name} {field.name} = {field.number}{packed};"


def _enum(enum: EnumDescriptorProto) -> Iterator[str]:
    yield f"enum {enum.name} {{"
    yield from (f"  {value.name} = {value.number};" for value in enum.value)
    for reserved in enum.reserved_range:  # inclusive, unlike a message's
        yield f"  reserved {_range(reserved.start, reserved.end + 1)};"
    if enum.reserved_name:
        yield "  reserved " + ", ".join(f'"{name}"' for name in enum.reserved_name) + ";"
    yield "}"


def _indented(lines: Sequence[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _range(start: int, end: int) -> str:
    if end > 536_870_911:
        return f"{start} to max"
    return str(start) if end == start + 1 else f"{start} to {end - 1}"
