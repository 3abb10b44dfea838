"""What domain code may use: refusals and decisions, made of the standard library alone.

`services/*/domain` imports the standard library and this package, nothing else.
"""

from chassis.kernel.decisions import Decision
from chassis.kernel.faults import Fault
from chassis.kernel.refusals import Category, FieldViolation, Refusal

__all__ = ["Category", "Decision", "Fault", "FieldViolation", "Refusal"]
