"""demo, books and events tail against a running suite."""

from __future__ import annotations

import signal

from cli.suite import Suite
from tests.e2e.aftermath import at_rest
from tests.e2e.commands import begin, run
from tests.e2e.guests import well_off
from tests.integration.gateway.till import Till


def test_the_hotels_day_is_told_without_anything_off(suite: Suite) -> None:
    at_rest(suite)
    code, output = run(suite, "demo")
    assert code == 0, output[-4_000:]
    assert "✗" not in output


def test_the_books_command_says_that_they_balance(suite: Suite, front_desk: Till) -> None:
    well_off(front_desk)
    at_rest(suite)
    code, output = run(suite, "books")
    assert code == 0, output
    assert "✗" not in output


def test_the_reports_show_what_a_guest_has_and_what_the_hotel_owes(
    suite: Suite, front_desk: Till
) -> None:
    guest = well_off(front_desk)
    code, owed = run(suite, "liability")
    assert code == 0, owed
    assert "CASH by source" in owed
    code, balance = run(suite, "trial-balance")
    assert code == 0, balance
    code, table = run(suite, "statement", guest.member_id)
    assert code == 0, table
    assert "closing" in table
    code, content = run(suite, "statement", guest.member_id, "--csv")
    assert code == 0, content
    assert content.startswith("posted_at,entry_id,line,kind,asset,")
    code, said = run(
        suite, "statement", guest.member_id, "--from", "2026-02-01", "--to", "2026-01-01"
    )
    assert code == 1
    assert "PERIOD_INVALID" in said


def test_events_tail_shows_what_happens_until_ctrl_c(suite: Suite, front_desk: Till) -> None:
    guest = well_off(front_desk)
    process = begin(suite, "events", "tail", "points", "--from-start")
    seen: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            seen.append(line)
            if guest.member_id in line and "CheckoutPosted" in line:
                break
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
    assert any("StoredValueToppedUp" in line and guest.member_id in line for line in seen)
    assert not any("Traceback" in line for line in seen)
