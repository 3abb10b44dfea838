"""A process with roles of its own, started by the tests of `chassis.process`."""

import asyncio
import gc
import sys

from pydantic_settings import SettingsConfigDict
from sqlalchemy import create_engine

from chassis.process import Process, run_roles
from chassis.settings import ServiceSettings
from chassis.startup import StartupError


class RoleSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="HUITOUKE_ROLES_")

    needed: str
    listen: str = "127.0.0.1:0"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def serve(settings: RoleSettings, process: Process) -> None:
    process.health.set("something", up=True)
    _say(f"serving {settings.needed}")
    await process.stopping.wait()
    _say("drained")


def relay(_settings: RoleSettings, process: Process) -> None:
    _say("relaying")
    process.stopping.event.wait()
    _say("relayed")


async def linger(_settings: RoleSettings, process: Process) -> None:
    _say("lingering")
    await process.stopping.wait()
    _say("not yet")
    await asyncio.Event().wait()


def migrate(_settings: RoleSettings, _process: Process) -> None:
    assert gc.isenabled()
    _say("migrated")


async def fail(_settings: RoleSettings, _process: Process) -> None:
    raise RuntimeError("broken for 19900000000")


def connect(_settings: RoleSettings, _process: Process) -> None:
    create_engine("postgresql://someone:hidden@127.0.0.1:1/nothing").connect()


async def refuse(_settings: RoleSettings, _process: Process) -> None:
    raise StartupError("PostgreSQL on 127.0.0.1:1 doesn't answer; start it")


if __name__ == "__main__":
    gc.disable()  # as the console scripts do while they load
    run_roles(
        "roles",
        RoleSettings,
        {
            "serve": serve,
            "relay": relay,
            "linger": linger,
            "migrate": migrate,
            "fail": fail,
            "refuse": refuse,
            "connect": connect,
        },
    )
