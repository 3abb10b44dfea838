"""AdminService: operators register partners and their keys, and ask for the books."""

from __future__ import annotations

import secrets
from typing import Any, TypeVar

from huitouke.gateway.v1 import admin_service_pb2 as pb
from huitouke.gateway.v1.admin_service_pb2_grpc import AdminServiceServicer

from chassis.identifiers import new_id
from chassis.rpc.calls import current_call, mark_replayed
from chassis.storage.executor import Executed, Executor, Submission
from chassis.storage.reads import Reads
from gateway.converters import administration as convert
from gateway.converters.fingerprints import fingerprint
from gateway.domain.books import Counts
from gateway.domain.merchants import (
    AdminAnswer,
    AdminCommand,
    ApiKey,
    CreateApiKey,
    CreateMerchant,
    CreateOutlet,
    CreateTerminal,
    Merchant,
    Outlet,
    Register,
    RevokeApiKey,
    Terminal,
)
from gateway.servicers.authentication import digest_of, key_text
from gateway.storage import reads as read

AdminExecutor = Executor[AdminCommand, Register, AdminAnswer, None]
SECRET_BYTES = 32
KEY_ID_BYTES = 8
T = TypeVar("T")


class AdminServicer(AdminServiceServicer):
    """Serves the admin port; callers are known by their certificates."""

    def __init__(self, executor: AdminExecutor, reads: Reads, key: bytes) -> None:
        self._executor = executor
        self._reads = reads
        self._key = key

    async def CreateMerchant(
        self, request: pb.CreateMerchantRequest, _context: Any
    ) -> pb.CreateMerchantResponse:
        command = CreateMerchant(convert.from_merchant(request.merchant, new_id()))
        done = await self._execute(request, command, Merchant)
        return pb.CreateMerchantResponse(merchant=convert.to_merchant(done))

    async def CreateOutlet(
        self, request: pb.CreateOutletRequest, _context: Any
    ) -> pb.CreateOutletResponse:
        command = CreateOutlet(convert.from_outlet(request.outlet, new_id()))
        done = await self._execute(request, command, Outlet)
        return pb.CreateOutletResponse(outlet=convert.to_outlet(done))

    async def CreateTerminal(
        self, request: pb.CreateTerminalRequest, _context: Any
    ) -> pb.CreateTerminalResponse:
        command = CreateTerminal(convert.from_terminal(request.terminal, new_id()))
        done = await self._execute(request, command, Terminal)
        return pb.CreateTerminalResponse(terminal=convert.to_terminal(done))

    async def CreateApiKey(
        self, request: pb.CreateApiKeyRequest, _context: Any
    ) -> pb.CreateApiKeyResponse:
        """The secret is in this answer only: nothing that is kept could tell it again."""
        secret = secrets.token_urlsafe(SECRET_BYTES)
        key_id = secrets.token_hex(KEY_ID_BYTES)
        command = CreateApiKey(convert.from_key_request(request, key_id, digest_of(secret)))
        done = await self._execute(request, command, ApiKey)
        shown = key_text(key_id, secret) if done.key_id == key_id else ""
        return pb.CreateApiKeyResponse(api_key=convert.to_api_key(done), secret_text=shown)

    async def RevokeApiKey(
        self, request: pb.RevokeApiKeyRequest, _context: Any
    ) -> pb.RevokeApiKeyResponse:
        done = await self._execute(request, RevokeApiKey(request.key_id), ApiKey)
        return pb.RevokeApiKeyResponse(api_key=convert.to_api_key(done))

    async def VerifyBooks(
        self, _request: pb.VerifyBooksRequest, _context: Any
    ) -> pb.VerifyBooksResponse:
        counts: Counts = await self._reads.run(read.counts)
        return convert.to_books(counts)

    async def _execute(self, request: Any, command: AdminCommand, kind: type[T]) -> T:
        call = current_call()
        executed: Executed[AdminAnswer] = await self._executor.execute(
            Submission(
                command,
                caller=call.caller,
                request_id=request.request_id,
                fingerprint=fingerprint(request, self._key),
                deadline_monotonic=call.deadline_monotonic,
                traceparent=call.traceparent,
            )
        )
        if executed.replayed:
            mark_replayed()
        assert isinstance(executed.answer, kind)
        return executed.answer
