"""What protos/descriptor_text.py writes compiles to the descriptor that it was written from."""

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from protovalidate._gen.buf.validate import validate_pb

from protos import build


def _compiled(folder: Path) -> FileDescriptorProto:
    build.write_includes()
    image = folder / "image.binpb"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{build.INCLUDE}"]
    command += [f"-I{files('grpc_tools') / '_proto'}", f"--descriptor_set_out={image}"]
    subprocess.run([*command, build.VALIDATE], check=True)
    return FileDescriptorSet.FromString(image.read_bytes()).file[0]


def _plain(field: FieldDescriptorProto) -> tuple[str, int, int, int, str, str]:
    oneof = str(field.oneof_index) if field.HasField("oneof_index") else ""
    return field.name, field.number, field.type, field.label, field.type_name, oneof


def _shape(message: DescriptorProto) -> object:
    return (
        message.name,
        sorted(_plain(field) for field in message.field),
        [oneof.name for oneof in message.oneof_decl],
        [(reserved.start, reserved.end) for reserved in message.reserved_range],
        list(message.reserved_name),
        [(extensions.start, extensions.end) for extensions in message.extension_range],
    )


def test_the_written_rules_compile_to_those_that_are_enforced(tmp_path: Path) -> None:
    published = FileDescriptorProto.FromString(validate_pb.desc().proto.to_binary())
    compiled = _compiled(tmp_path)
    assert [_shape(message) for message in compiled.message_type] == [
        _shape(message) for message in published.message_type
    ]
    assert list(compiled.enum_type) == list(published.enum_type)
    assert [_plain(field) for field in compiled.extension] == [
        _plain(field) for field in published.extension
    ]
