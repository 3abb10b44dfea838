"""Composition root of the coupon service: `huitouke-coupon migrate|serve|relay|work`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from google.protobuf.message import Message
from huitouke.coupon.v1 import coupon_service_pb2
from huitouke.coupon.v1.coupon_service_pb2_grpc import add_CouponServiceServicer_to_server

from chassis.clock import Clock, SystemClock
from chassis.process import Process, run_roles
from chassis.roles import housekeeping_role, migrate_role, relay_role
from chassis.rpc.health import HealthBoard
from chassis.rpc.server import Server, ServiceEntry
from chassis.storage.engine import create_engine
from chassis.storage.executor import Executor, ProtoAnswerCodec
from chassis.storage.reads import Reads
from chassis.telemetry.observers import ExecutorMetrics
from services.coupon.converters.events import to_outbox
from services.coupon.converters.responses import RESPONSES, answering_in_messages
from services.coupon.domain.deciding import Decider
from services.coupon.servicer import CouponExecutor, CouponServicer, answers
from services.coupon.settings import CouponSettings
from services.coupon.storage.repository import CouponRepository

SERVICE = "coupon"
MIGRATIONS = "services.coupon.storage.migrations"
_RPC = "/huitouke.coupon.v1.CouponService"

ALLOW = {
    f"{_RPC}/CreateCampaign": {"gateway", "operator"},
    f"{_RPC}/GetCampaign": {"gateway", "operator"},
    f"{_RPC}/ListCampaigns": {"gateway", "operator"},
    f"{_RPC}/ClaimCoupon": {"gateway"},
    f"{_RPC}/BatchClaimCoupon": {"gateway"},
    f"{_RPC}/ListCoupons": {"gateway", "operator"},
    f"{_RPC}/Qualify": {"gateway", "operator"},
    f"{_RPC}/Reserve": {"gateway"},
    f"{_RPC}/BatchReserve": {"gateway"},
    f"{_RPC}/Redeem": {"gateway"},
    f"{_RPC}/BatchRedeem": {"gateway"},
    f"{_RPC}/CancelReservation": {"gateway"},
    f"{_RPC}/RollBack": {"gateway"},
    f"{_RPC}/VerifyBooks": {"operator"},
}


async def serve(settings: CouponSettings, process: Process) -> None:
    """Serve gRPC until asked to stop; then drain, and finish what is queued."""
    async with serving(settings, SystemClock(), process.health):
        await process.stopping.wait()


@asynccontextmanager
async def serving(
    settings: CouponSettings, clock: Clock, board: HealthBoard
) -> AsyncIterator[Server]:
    """Give the whole service, listening; tests give their own clock and several of these."""
    url = settings.database_url.get_secret_value()
    writing = create_engine(url, application_name="coupon-writer", pool_size=1, index_plans=True)
    reading = create_engine(
        url,
        application_name="coupon-reader",
        pool_size=settings.database_pool_size,
        autocommit=True,
    )
    reads = Reads(reading, threads=settings.database_pool_size)
    executor: CouponExecutor = Executor(
        engine=writing,
        repository=CouponRepository(),
        decide=answering_in_messages(Decider(settings.coupons_per_checkout_max)),
        answer_codec=ProtoAnswerCodec[Message](RESPONSES),
        encode_event=to_outbox,
        clock=clock,
        name=SERVICE,
        queue_limit=settings.command_queue_max,
        observer=ExecutorMetrics(),
    )
    servicer = CouponServicer(
        executor=executor,
        reads=reads,
        clock=clock,
        key=settings.request_key_bytes(),
        coupons_per_checkout_max=settings.coupons_per_checkout_max,
    )
    probes = {"postgresql": partial(reads.run, answers)}
    server = Server(settings, [_entry(servicer)], ALLOW, health=probes, board=board)
    executor.start()
    try:
        async with server:
            yield server
    finally:
        executor.stop()
        reads.close()
        writing.dispose()
        reading.dispose()


def _entry(servicer: CouponServicer) -> ServiceEntry:
    descriptor = coupon_service_pb2.DESCRIPTOR.services_by_name["CouponService"]
    return ServiceEntry(descriptor, add_CouponServiceServicer_to_server, servicer)


def main() -> None:
    """Run one role; the console script `huitouke-coupon`."""
    roles = {
        "serve": serve,
        "relay": relay_role(SERVICE),
        "work": housekeeping_role(SERVICE),
        "migrate": migrate_role(SERVICE, MIGRATIONS),
    }
    run_roles(SERVICE, CouponSettings, roles)
