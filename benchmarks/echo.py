"""The reference of the gateway: a bare grpc.aio server that answers each request with itself.

python -m benchmarks.echo PORT CERTIFICATE KEY
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import uvloop

from cli.local.child import Child
from cli.local.ports import LOOPBACK, free_port, is_open
from cli.local.waiting import wait_until_ready

METHOD = "/huitouke.benchmark.Echo/Echo"
START_SECONDS = 20


async def echo(request: bytes, _context: Any) -> bytes:
    """Neither parse nor serialize: less than this no server can do."""
    return request


async def serve(port: int, certificate: bytes, key: bytes) -> None:
    """Serve over TLS until killed."""
    server = grpc.aio.server()
    handlers: dict[str, Any] = {"Echo": grpc.unary_unary_rpc_method_handler(echo)}
    service = grpc.method_handlers_generic_handler("huitouke.benchmark.Echo", handlers)
    server.add_generic_rpc_handlers([service])
    credentials = grpc.ssl_server_credentials([(key, certificate)])
    server.add_secure_port(f"{LOOPBACK}:{port}", credentials)
    await server.start()
    await asyncio.Event().wait()


@contextmanager
def echo_server(certificates: Path, log: Path) -> Iterator[tuple[str, int]]:
    """Give the address and process id of a running one, with the gateway's certificate."""
    port = free_port()
    files = (certificates / "gateway.pem", certificates / "gateway.key")
    command = [sys.executable, "-m", __name__, str(port), *map(str, files)]
    child = Child("the echo server", command, log=log)
    try:
        wait_until_ready(child, lambda: is_open(port), START_SECONDS)
        yield f"{LOOPBACK}:{port}", child.pid
    finally:
        child.stop()


if __name__ == "__main__":
    _, listen, certificate_file, key_file = sys.argv
    uvloop.run(serve(int(listen), Path(certificate_file).read_bytes(), Path(key_file).read_bytes()))
