"""Notes need no rows of their own: the executor's memory of requests is what keeps them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from gateway.domain.notes import TakeNote


class NoteRepository:
    """`chassis.storage.executor.Repository` of commands that touch nothing else."""

    def lock(self, connection: Connection, commands: Sequence[TakeNote]) -> None:
        """Lock nothing."""

    def load(self, connection: Connection, state: None, commands: Sequence[TakeNote]) -> None:
        """Read nothing."""

    def save(self, connection: Connection, state: None) -> None:
        """Write nothing."""
