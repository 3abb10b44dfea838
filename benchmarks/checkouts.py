"""Checkouts a second through the whole suite, against a bare echo; CPU by process; event lag.

    python -m benchmarks.checkouts [--rounds 7] [--seconds 3] [--without notify] [--niceness 0]

The subject: one-call checkouts of 2,000 guests by card number, each redeeming 100 points and
earning some, no coupon, 64 in flight, over TLS through the gateway to member and points, with every
process of the suite, PostgreSQL (fsync on) and Kafka running. The reference: the same client, the
same bytes and TLS, to a grpc.aio server that answers a request with itself. Both run in turns,
the echo only when the messages and events of the checkouts before it are done with; the medians
are compared. Each answer is checked after its round.

Afterwards half of the median rate is sent, evenly paced, while a subscriber notes how old each
event of points and gateway is when it has it.
"""

from __future__ import annotations

import argparse
import statistics
from collections import Counter

from benchmarks.calling import IN_FLIGHT, WARM_UP_CALLS, Client, Round, Target
from benchmarks.echo import METHOD, echo_server
from benchmarks.hotel import GUESTS, Hotel, check, open_hotel, running_suite
from benchmarks.listening import listening
from benchmarks.spending import pids_of, settle, spent, table, wait_until_told
from chassis.messaging.topics import topic_of
from cli.suite import Suite
from cli.suite.layout import BACKGROUND_NICENESS

TARGET, LAG_SECONDS = 0.25, 1.0
REQUESTS_A_SECOND, ECHOES_A_SECOND = 3_000, 12_000
"""More than will be needed: requests are made before a round."""


class Contest:
    """Rounds of echoes and of checkouts in turns, and the CPU that each process spent on them."""

    def __init__(self, suite: Suite, client: Client, hotel: Hotel, echo: Target, pid: int) -> None:
        self._client = client
        self._hotel = hotel
        self._echo = echo
        self._suite = suite
        self._pids = pids_of(suite)
        self._all = self._pids | {"client": client.pid, "echo server": pid}
        self.echoes: list[Round] = []
        self.checkouts: list[Round] = []
        self._spent_on_echoes: Counter[str] = Counter()
        self._spent_on_checkouts: Counter[str] = Counter()

    def round(self, seconds: float) -> None:
        """One of each; what checkouts leave to be done behind them is waited for, and counted."""
        dinners = self._hotel.dinners(WARM_UP_CALLS + int(seconds * REQUESTS_A_SECOND))
        repeats = int(seconds * ECHOES_A_SECOND) // len(dinners) + 1
        began = spent(self._all)
        self.echoes.append(self._client.send(self._echo, dinners * repeats, seconds=seconds))
        between = spent(self._all)
        self.checkouts.append(self._client.send(self._hotel.restaurant, dinners, seconds=seconds))
        wait_until_told(self._suite, sum(len(each.answers) for each in self.checkouts))
        settle(self._pids)
        self._spent_on_echoes.update(between.since(began))
        self._spent_on_checkouts.update(spent(self._all).since(between))
        check(self.checkouts[-1].answers)
        print(
            f"round {len(self.checkouts)}: echo {_in_words(self.echoes[-1])}; "
            f"checkouts {_in_words(self.checkouts[-1])}",
            flush=True,
        )

    @property
    def rate(self) -> float:
        """Checkouts a second, the median of the rounds."""
        return statistics.median(each.rate for each in self.checkouts)

    def report(self) -> None:
        """Print the ratio of the medians, the latencies and where the CPU went."""
        echoes = statistics.median(each.rate for each in self.echoes)
        slowest = statistics.median(each.percentile(0.99) for each in self.checkouts)
        print(f"bare grpc.aio echo over TLS, {IN_FLIGHT} in flight: {echoes:.0f}/s (median)")
        print(
            f"one-call checkouts over TLS, {IN_FLIGHT} in flight: {self.rate:.0f}/s = "
            f"{self.rate / echoes:.2f} x echo (target {TARGET:g} x); p99 {slowest:.0f} ms"
        )
        calls = sum(len(each.answers) for each in self.echoes)
        ends = self._spent_on_echoes["client"] + self._spent_on_echoes["echo server"]
        print(f"CPU of an echo, client and server: {1000 * ends / calls:.3f} ms")
        calls = sum(len(each.answers) for each in self.checkouts)
        print(
            f"CPU of a checkout, until all of it is done ({calls} checkouts):\n"
            f"{table(self._spent_on_checkouts, calls)}",
            flush=True,
        )


def measure_lag(suite: Suite, client: Client, hotel: Hotel, rate: float, seconds: float) -> None:
    """Send `rate` checkouts a second and print how old their events are at a subscriber."""
    endpoints = suite.endpoints
    topics = [topic_of(service, endpoints.topic_prefix) for service in ("points", "gateway")]
    with listening(endpoints.kafka_bootstrap, topics) as ages:
        dinners = hotel.dinners(WARM_UP_CALLS + int(seconds * rate))
        done = client.send(hotel.restaurant, dinners, seconds=seconds, per_second=rate)
        heard = sorted(ages())
    check(done.answers)
    median, last = heard[len(heard) // 2], heard[int(len(heard) * 0.99)]
    print(
        f"at {done.rate:.0f} checkouts/s ({_in_words(done)}) a subscriber had {len(heard)} events: "
        f"age p50 {median:.3f} s, p99 {last:.3f} s (target < {LAG_SECONDS:g} s), "
        f"oldest {heard[-1]:.3f} s"
    )


def _in_words(done: Round) -> str:
    return f"{done.rate:.0f}/s p50 {done.percentile(0.5):.1f} ms p99 {done.percentile(0.99):.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description="Checkouts a second against a bare echo.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--guests", type=int, default=GUESTS)
    parser.add_argument("--without", action="append", default=[], help="leave a service out")
    parser.add_argument(
        "--niceness", type=int, default=BACKGROUND_NICENESS, help="of what nobody waits for"
    )
    arguments = parser.parse_args()
    niceness = arguments.niceness
    with (
        running_suite(arguments.without, background_niceness=niceness) as suite,
        Client() as client,
    ):
        hotel = open_hotel(suite.endpoints, client, arguments.guests)
        certificates = suite.state / "certs"
        with echo_server(certificates, suite.state / "echo.log") as (address, pid):
            echo = Target(address, METHOD, hotel.restaurant.authority)
            contest = Contest(suite, client, hotel, echo, pid)
            settle(pids_of(suite))
            for _ in range(arguments.rounds):
                contest.round(arguments.seconds)
        contest.report()
        measure_lag(suite, client, hotel, contest.rate / 2, 4 * arguments.seconds)


if __name__ == "__main__":
    main()
