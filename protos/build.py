"""The contracts' tool: generates Python from protos/, lints, and refuses breaking changes.

Run as `python -m protos.build generate|lint|breaking|check|release`; everything works offline.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from google.protobuf import descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from protovalidate._gen.buf.validate import validate_pb

from protos.descriptor_text import proto_text

PROTOS = Path(__file__).resolve().parent
ROOT = PROTOS.parent
GENERATED = PROTOS / "gen"
INCLUDE = ROOT / "build" / "include"
RELEASED = PROTOS / "released.binpb"
VALIDATE = "buf/validate/validate.proto"


class BuildError(Exception):
    """A step failed; the message is what the tool behind it said."""


def sources() -> list[str]:
    """The suite's own contracts, as paths below protos/, sorted."""
    return sorted(str(path.relative_to(PROTOS)) for path in PROTOS.glob("huitouke/**/*.proto"))


def write_includes() -> None:
    """Put the third-party contracts that ours import under build/include.

    protovalidate publishes validate.proto only in compiled form, so it is written out from its
    descriptor; google.rpc comes from the wheel of googleapis-common-protos.
    """
    descriptor = FileDescriptorProto.FromString(validate_pb.desc().proto.to_binary())
    _write(INCLUDE / VALIDATE, proto_text(descriptor).encode())
    bundle = FileDescriptorSet(file=[*_well_known(), descriptor])
    _write(INCLUDE.parent / "validate.binpb", bundle.SerializeToString(deterministic=True))
    for name in ("code", "error_details", "status"):
        text = files("google.rpc").joinpath(f"{name}.proto").read_bytes()
        _write(INCLUDE / "google" / "rpc" / f"{name}.proto", text)


def generate(output: Path) -> None:
    """Replace what stands in `output` by freshly generated packages `huitouke` and `buf`."""
    write_includes()
    for package in ("huitouke", "buf"):
        shutil.rmtree(output / package, ignore_errors=True)
    output.mkdir(parents=True, exist_ok=True)
    bundle = INCLUDE.parent / "validate.binpb"
    messages = [f"--python_out={output}", f"--mypy_out=quiet:{output}"]
    _protoc(f"--descriptor_set_in={bundle}", *messages, VALIDATE)
    own = sources()
    if own:
        includes = (f"-I{PROTOS}", f"-I{INCLUDE}")
        _protoc(*includes, *messages, *own)
    services = [source for source in own if source.endswith("_service.proto")]
    if services:
        calls = [f"--grpc_python_out={output}", f"--mypy_grpc_out=quiet:{output}"]
        _protoc(*includes, *calls, *services)
    _mark_packages(output)


def lint() -> None:
    """Hold the contracts to buf's STANDARD and COMMENTS rules."""
    write_includes()
    if sources():
        _run("buf", "lint", "--path", "protos/huitouke")


def breaking() -> None:
    """Refuse a change that a caller of the last released contracts would notice."""
    write_includes()
    if not RELEASED.exists():
        print("no released contracts yet: `make protos-release` makes the first image")
        return
    _run("buf", "breaking", "--exclude-imports", "--against", str(RELEASED))


def check() -> None:
    """Refuse generated code that isn't what the contracts generate now."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        generate(fresh)
        differing = sorted(_text_of(fresh) ^ _text_of(GENERATED))
    if differing:
        names = ", ".join(sorted({name for name, _ in differing}))
        raise BuildError(f"generated code is out of date, run `make protos`: {names}")


def release() -> None:
    """Make the present contracts the released ones."""
    write_includes()
    _run("buf", "build", "--path", "protos/huitouke", "-o", str(RELEASED))


def _text_of(folder: Path) -> set[tuple[str, str]]:
    found = (path for path in folder.rglob("*") if path.suffix in (".py", ".pyi", ".typed"))
    return {(str(path.relative_to(folder)), path.read_text()) for path in found}


def _well_known() -> list[FileDescriptorProto]:
    found = []
    for module in (descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2):
        found.append(FileDescriptorProto())
        module.DESCRIPTOR.CopyToProto(found[-1])
    return found


def _protoc(*arguments: str) -> None:
    well_known = files("grpc_tools").joinpath("_proto")
    scripts = Path(sys.executable).parent
    plugins = [f"--plugin={scripts / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")]
    from_set = any(argument.startswith("--descriptor_set_in") for argument in arguments)
    include = [] if from_set else [f"-I{well_known}"]
    command = [sys.executable, "-m", "grpc_tools.protoc", *plugins, *arguments, *include]
    _run(*command)


def _mark_packages(output: Path) -> None:
    for top in ("huitouke", "buf"):
        folders = [output / top, *(path for path in (output / top).rglob("*") if path.is_dir())]
        for folder in folders:
            if folder.is_dir():
                (folder / "__init__.py").touch()
        if (output / top).is_dir():
            (output / top / "py.typed").touch()


def _write(path: Path, content: bytes) -> None:
    """Leave a file that is right already alone: others may be reading it at this moment."""
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _run(*command: str) -> None:
    path = Path(sys.executable).parent / command[0]
    program = str(path) if path.exists() else command[0]
    result = subprocess.run(
        [program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise BuildError((result.stdout + result.stderr).strip())


def main() -> None:
    steps = {"lint": lint, "breaking": breaking, "check": check, "release": release}
    parser = argparse.ArgumentParser(prog="protos.build", description=__doc__)
    parser.add_argument("step", choices=["generate", *steps])
    parser.add_argument("--output", type=Path, default=GENERATED)
    arguments = parser.parse_args()
    try:
        if arguments.step == "generate":
            generate(arguments.output.resolve())
        else:
            steps[arguments.step]()
    except BuildError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
