"""The write path of every service: many commands, one transaction, remembered answers, events.

A service writes a pure `decide`, a repository that works in sets, and gets from the executor
natural batching, idempotency by (caller, request_id), the outbox, retries and poison isolation.

    class Account:                                   # storage-facing state of one batch
        ...

    @dataclass(slots=True)
    class Batch:
        accounts: dict[UUID, Account]
        not_before: datetime | None = None           # optional: `now` never precedes it

    class Accounts:                                  # Repository[Command, Batch]
        def lock(self, connection: Connection, commands: Sequence[Command]) -> Batch:
            ids = sorted({command.member_id for command in commands})
            sets.insert_columns(connection, "accounts", {"member_id": ("uuid", ids)},
                                on_conflict="DO NOTHING")
            rows = sets.select_by_keys(connection, "accounts", {"member_id": ("uuid", ids)},
                                       select=("member_id", "balance", "version", "posted_at"),
                                       lock=True)    # ORDER BY the keys, FOR UPDATE
            return Batch({row[0]: Account(*row) for row in rows},
                         not_before=max((row[3] for row in rows if row[3]), default=None))

        def load(self, connection: Connection, state: Batch, commands: Sequence[Command]) -> None:
            ...          # later statements: holds, lots; only for commands that are no replays

        def save(self, connection: Connection, state: Batch) -> None:
            changed = [a for a in state.accounts.values() if a.changed]
            with sets.pipelined(connection):         # several writes, one round trip
                sets.update_from_columns(
                    connection, "accounts",
                    keys={"member_id": ("uuid", [a.member_id for a in changed])},
                    values={"balance": ("bigint", [a.balance for a in changed]),
                            "version": ("bigint", [a.version for a in changed])})
                sets.insert_columns(connection, "journal", ...)

    def decide(state: Batch, command: Command, now: datetime) -> Decision[Answer, Event]:
        account = state.accounts[command.member_id]  # raise Refusal before touching anything
        event = account.post(command.amount, now)    # bumps account.version by one per event
        return Decision(PostResponse(...), (event,))

    executor = Executor(engine=engine, repository=Accounts(), decide=decide, clock=SystemClock(),
                        answer_codec=ProtoAnswerCodec([PostResponse]), name="points",
                        encode_event=lambda event, now: OutboxEvent(
                            key=event.member_id, aggregate_type="member",
                            type="huitouke.points.v1.PointsEarned", payload=to_bytes(event),
                            version=event.version, occurred_at=now))
    executor.start()
    done = await executor.execute(Submission(command, caller=call.caller,
        request_id=request.request_id, fingerprint=fingerprint(request, key),
        deadline_monotonic=call.deadline_monotonic, traceparent=call.traceparent))
    done.answer, done.replayed                       # or a Refusal is raised

Rules a repository keeps: rows are locked in the order members, coupons, campaigns, each sorted;
`lock` reads only what it locks (a statement that waited for a lock sees an old snapshot of
everything else); `load` and `save` are a fixed number of set-based statements; a rerun starts
again at `lock` with a new state, so nothing is kept between calls. `decide` runs in a writer
thread: no I/O, no clock, no randomness, and the order of commands in a batch is their arrival.
A raised Refusal means that nothing changed: where something did (what was due expired first, a
wrong PIN was counted), return `Decision(None, events, refusal)`, which is saved and remembered.
"""
