"""Failpoints: armed by a setting, silent without it, refused in production."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chassis.failpoints import (
    MODE_SETTING,
    SETTING,
    FailpointError,
    FailpointSettingError,
    arm_failpoints,
    async_failpoint,
    failpoint,
)


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    arm_failpoints({})
    yield
    arm_failpoints({})


def test_an_unarmed_failpoint_does_nothing() -> None:
    arm_failpoints({SETTING: "other=error"})
    failpoint("points.executor.before_commit")


def test_an_armed_error_is_raised_at_every_hit_or_at_the_named_one() -> None:
    arm_failpoints({SETTING: "always=error; second=error@2"})
    for _ in range(2):
        with pytest.raises(FailpointError, match="always"):
            failpoint("always")
    failpoint("second")
    with pytest.raises(FailpointError, match="second"):
        asyncio.run(async_failpoint("second"))
    failpoint("second")


def test_a_delay_lets_a_coroutine_s_loop_go_on() -> None:
    arm_failpoints({SETTING: "slow=delay:0.05"})
    order: list[str] = []

    async def slow() -> None:
        await async_failpoint("slow")
        order.append("slow")

    async def main() -> None:
        task = asyncio.ensure_future(slow())
        await asyncio.sleep(0)
        order.append("meanwhile")
        await task

    asyncio.run(main())
    failpoint("slow")
    assert order == ["meanwhile", "slow"]


def test_a_gate_holds_a_thread_or_a_coroutine_until_its_file_is_there(tmp_path: Path) -> None:
    gate, order = tmp_path / "gate", []
    arm_failpoints({SETTING: f"gate=until:{gate}@1; open=until:{gate}"})

    async def held() -> None:
        await async_failpoint("gate")
        order.append("held")

    async def main() -> None:
        task = asyncio.ensure_future(held())
        await asyncio.sleep(0)
        order.append("meanwhile")
        gate.touch()
        await task

    asyncio.run(main())
    failpoint("open")
    assert order == ["meanwhile", "held"]
    gate.unlink()
    failpoint("gate")  # not at its second hit


def test_a_kill_leaves_no_time_for_anything() -> None:
    program = "from chassis.failpoints import failpoint\nfailpoint('x')\nprint('survived')"
    environment = {**os.environ, SETTING: "x=kill"}
    result = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True)
    assert (result.returncode, result.stdout) == (-signal.SIGKILL, b"")


@pytest.mark.parametrize(
    "text",
    ["x", "x=burn", "=kill", "x=delay", "x=until", "x=error:1", "x=delay:soon", "x=kill@soon"],
)
def test_a_setting_that_cannot_be_read_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(FailpointSettingError, match=text):
        arm_failpoints({SETTING: text})


def test_production_mode_refuses_failpoints() -> None:
    with pytest.raises(FailpointSettingError, match="production"):
        arm_failpoints({SETTING: "x=kill", MODE_SETTING: "production"})
    arm_failpoints({MODE_SETTING: "production"})
