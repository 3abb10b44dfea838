"""The rules written in the contracts are enforced on ordinary google-protobuf messages."""

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import protovalidate
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

from protos import build

TRIAL = """
syntax = "proto3";
package huitouke.trial.v1;
import "buf/validate/validate.proto";
import "google/protobuf/timestamp.proto";
message Trial {
  option (buf.validate.message).cel = {
    id: "trial.order" message: "low must not pass high" expression: "this.low <= this.high"
  };
  string name = 1 [(buf.validate.field).string = {min_len: 2, max_len: 5}];
  int64 low = 2 [(buf.validate.field).int64.gt = 0];
  int64 high = 3;
  repeated string tags = 4 [(buf.validate.field).repeated = {max_items: 2, unique: true}];
  oneof who {
    option (buf.validate.oneof).required = true;
    string card = 5;
    string mobile = 6 [(buf.validate.field).string.pattern = "^[+][0-9]+$"];
  }
  google.protobuf.Timestamp at = 7 [(buf.validate.field).required = true];
  string id = 8 [(buf.validate.field).string.uuid = true];
}
"""
GOOD: dict[str, object] = {
    "name": "abc",
    "low": 1,
    "high": 2,
    "card": "1",
    "at": {"seconds": 1},
    "id": "01890a5d-ac96-774b-bcce-b302099a8057",
}


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> type[Message]:
    folder = tmp_path_factory.mktemp("trial")
    (folder / "trial.proto").write_text(TRIAL)
    includes = [build.PROTOS / "gen", build.INCLUDE, files("grpc_tools") / "_proto"]
    build.write_includes()
    image = folder / "trial.binpb"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}"]
    command += [f"-I{include}" for include in includes]
    subprocess.run([*command, f"--descriptor_set_out={image}", "trial.proto"], check=True)
    return _message_class(image)


def _message_class(image: Path) -> type[Message]:
    from buf.validate import validate_pb2

    assert validate_pb2.DESCRIPTOR.name in image.read_text(errors="ignore")
    pool = descriptor_pool.Default()
    for file in descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes()).file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("huitouke.trial.v1.Trial"))


def _rules_broken(message: Message) -> set[str]:
    return {violation.proto.rule_id for violation in protovalidate.collect_violations(message)}


def test_a_message_that_keeps_the_rules_passes(trial: type[Message]) -> None:
    assert _rules_broken(trial(**GOOD)) == set()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"name": "a"}, "string.min_len"),
        ({"name": "abcdef"}, "string.max_len"),
        ({"low": 0}, "int64.gt"),
        ({"low": 3}, "trial.order"),
        ({"tags": ["a", "b", "c"]}, "repeated.max_items"),
        ({"tags": ["a", "a"]}, "repeated.unique"),
        ({"card": None}, "required"),
        ({"card": None, "mobile": "x"}, "string.pattern"),
        ({"at": None}, "required"),
        ({"id": "x"}, "string.uuid"),
    ],
)
def test_a_broken_rule_is_named(trial: type[Message], change: dict[str, object], rule: str) -> None:
    fields = {name: value for name, value in {**GOOD, **change}.items() if value is not None}
    assert rule in _rules_broken(trial(**fields))
