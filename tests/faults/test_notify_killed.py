"""kill -9 of the sender between recording a submission, submitting, and recording its outcome."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from cli.suite import Suite
from tests.e2e.aftermath import all_agrees
from tests.e2e.guests import enrolled
from tests.e2e.telling import received_by
from tests.integration.gateway.till import Till

WORK = "notify.work"
GUESTS = 6
TOLD = 3  # welcome, and of two top-ups


@pytest.mark.parametrize("moment", ["before_submit", "after_submit"])
def test_each_guest_is_told_though_the_sender_dies_and_twice_only_inside_the_window(
    breakable_suite: Suite,
    front_desk: Till,
    moment: str,
    record_property: Callable[[str, object], None],
) -> None:
    guests = [enrolled(front_desk) for _ in range(GUESTS)]
    twice_before = all_agrees(breakable_suite).told_twice  # from here on only SMS are sent
    breakable_suite.restart(WORK, f"notify.work.{moment}=kill@1")
    for guest in guests + guests:
        front_desk.top_up(guest.member_id, 10_000)
    code = breakable_suite.processes[WORK].wait_for_end(30)
    assert code == -signal.SIGKILL
    breakable_suite.restart(WORK)
    twice = all_agrees(breakable_suite).told_twice - twice_before
    counts = [received_by(breakable_suite, guest.mobile) for guest in guests]
    assert min(counts) >= TOLD
    assert sum(counts) == GUESTS * TOLD + twice
    if moment == "before_submit":
        assert twice == 0, "nothing had been submitted"
    record_property("measured", f"sender killed {moment}: {twice} of {GUESTS * 2} SMS came twice")
