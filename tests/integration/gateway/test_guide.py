"""The partners' guide does what it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from cli.suite import Suite
from tests.integration.gateway.till import Till

GUIDE = Path(__file__).parents[3] / "docs" / "partners" / "README.md"
TIMEOUT_SECONDS = 60


def blocks(language: str) -> list[str]:
    """The guide's code blocks in one language."""
    return re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.DOTALL)


def surroundings(suite: Suite, till: Till) -> dict[str, str]:
    return {
        **os.environ,
        "HUITOUKE_GATEWAY": suite.endpoints.partner,
        "HUITOUKE_CA": f"{suite.endpoints.certificates}/ca.pem",
        "HUITOUKE_KEY": till.key,
        "HUITOUKE_TERMINAL": till.terminal_id,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }


def run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_python_client_is_short_and_makes_a_checkout(
    gateway_suite: Suite, front_desk: Till, restaurant: Till
) -> None:
    program, _ = blocks("python")
    assert len([line for line in program.splitlines() if line.strip()]) <= 20
    card = front_desk.enrol().card_number
    environment = surroundings(gateway_suite, restaurant)
    printed = run([sys.executable, "-c", program, card], environment)
    assert printed == "to pay 198.00, earned 198 points\n"


def test_a_tab_is_opened_and_committed_for_less(
    gateway_suite: Suite, front_desk: Till, restaurant: Till
) -> None:
    program, tab = blocks("python")
    client = program[: program.index("purchase =")]
    guest = front_desk.enrol()
    front_desk.top_up(guest.member.member_id, 100_000)
    environment = surroundings(gateway_suite, restaurant)
    printed = run([sys.executable, "-c", client + tab, guest.card_number], environment)
    assert printed == "paid 176.00 of stored value, still held 0.00\n"


def test_the_first_call_by_buf_curl_finds_a_member(
    gateway_suite: Suite, front_desk: Till, restaurant: Till
) -> None:
    (command,) = [block for block in blocks("sh") if "FindMember" in block]
    enrolled = front_desk.enrol()
    command = command.replace("127.0.0.1:9440", gateway_suite.endpoints.partner)
    command = command.replace(".huitouke/certs", gateway_suite.endpoints.certificates)
    command = command.replace("8866 2020 7640 4555", enrolled.card_number)
    printed = run(["sh", "-c", command], surroundings(gateway_suite, restaurant))
    assert json.loads(printed)["member"]["memberId"] == enrolled.member.member_id


def test_an_operators_calls_by_buf_curl_lead_to_a_key(gateway_suite: Suite) -> None:
    (script,) = [block for block in blocks("sh") if "CreateApiKey" in block]
    script = script.replace("127.0.0.1:9450", gateway_suite.endpoints.admin)
    script = script.replace(".huitouke/certs", gateway_suite.endpoints.certificates)
    head, *calls = re.split(r"^(?=admin Create)", script, flags=re.MULTILINE)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ids: dict[str, str] = {}
    answer: dict[str, Any] = {}
    for call in calls:
        command = head + re.sub("MERCHANT_ID|OUTLET_ID", lambda found: ids[found[0]], call)
        answer = json.loads(run(["sh", "-c", command], {**os.environ, "PATH": path}))
        for kind in ("merchant", "outlet"):
            if kind in answer:
                ids[f"{kind.upper()}_ID"] = answer[kind][f"{kind}Id"]
    assert answer["secretText"].startswith("htk_")
