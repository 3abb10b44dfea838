"""Answers: what a decided command comes to."""

from __future__ import annotations

from dataclasses import dataclass

from services.member.domain.cards import Card, IssuedCard
from services.member.domain.members import Member


@dataclass(frozen=True, slots=True)
class Enrolled:
    member: Member
    issued: IssuedCard


@dataclass(frozen=True, slots=True)
class Replaced:
    member: Member
    issued: IssuedCard


@dataclass(frozen=True, slots=True)
class StateChanged:
    card: Card


Answer = Enrolled | Replaced | StateChanged
