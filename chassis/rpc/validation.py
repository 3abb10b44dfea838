"""Field rules: what the proto declares (protovalidate) becomes one refusal naming each field."""

from collections.abc import Iterator
from typing import Any, Final

import protovalidate
from buf.validate import validate_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from chassis.kernel.refusals import Category, FieldViolation, Refusal
from chassis.startup import StartupError

BATCH_ITEMS_MAX: Final = 256
ELEMENTS_MAX: Final = 500
"""Repeated elements above which only the first fault is named.

Naming one takes a sixth of a millisecond of the server's only loop, and 40 KB may hold 40,000 of
them; counts are checked before elements, so that one fault is found at once.
"""

_validator: Final = protovalidate.Validator()


def validate(request: Message) -> None:
    """Raise Refusal(INVALID, INVALID_FIELD) naming each field that breaks its rule in the proto."""
    violations = _validator.collect_violations(request, fail_fast=True)
    if not violations:
        return
    if _elements(request) <= ELEMENTS_MAX:
        violations = _validator.collect_violations(request)
    raise invalid_fields([_in_words(violation.proto) for violation in violations])


def refuse_nul(request: Message) -> None:
    """Raise Refusal(INVALID, INVALID_FIELD) naming each text that holds a NUL character.

    No database could keep it. Visits every field but those that are validated alone: for a valid
    request, whose size is bounded.
    """
    rule = "must not hold the character NUL"
    violations = [FieldViolation(path, rule) for path in _with_nul(request)]
    if violations:
        raise invalid_fields(violations)


def validate_alone(item: Message, *, may_hold_nul: bool = True) -> None:
    """Raise Refusal(INVALID, INVALID_FIELD) for one item of many that the contract leaves alone.

    Items are marked `ignore: IGNORE_ALWAYS`, so that a wrong one is refused without its request;
    whoever handles them calls this for each. It looks for NUL where there `may_hold_nul` be one.
    """
    validate(item)
    # Serializing it takes a tenth of visiting every field.
    if may_hold_nul and b"\0" in item.SerializeToString():
        refuse_nul(item)


def prepare(request_class: type[Message]) -> None:
    """Compile a request's rules now, so that a wrong rule stops the start and no caller waits.

    Raises StartupError naming the message.
    """
    try:
        _validator.collect_violations(request_class())
    except protovalidate.CompilationError as error:
        name = request_class.DESCRIPTOR.full_name
        raise StartupError(f"{name}: a field rule doesn't compile: {error}") from error


def validate_batch_size(request: Any) -> None:
    """Check a batch's item count only: its items are validated alone, each with its own outcome."""
    count = len(request.items)
    if not 1 <= count <= BATCH_ITEMS_MAX:
        rule = f"must have 1 to {BATCH_ITEMS_MAX} items, has {count}; split the batch"
        raise invalid_fields([FieldViolation("items", rule)])


def is_batch(request_class: type[Message]) -> bool:
    """Whether this is the request of a `Batch...` RPC: items that each hold a request."""
    items = request_class.DESCRIPTOR.fields_by_name.get("items")
    if items is None or items.message_type is None:
        return False
    named = items.message_type.fields_by_name
    return request_class.DESCRIPTOR.name.startswith("Batch") and {"request", "timeout"} <= set(
        named,
    )


def invalid_fields(violations: list[FieldViolation]) -> Refusal:
    """The refusal for wrong fields; its message names the first, its fields the rest."""
    first = violations[0]
    more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
    return Refusal(
        Category.INVALID,
        "INVALID_FIELD",
        f"{first.field or 'request'}: {first.rule}{more}",
        fields=violations,
    )


def _elements(request: Message) -> int:
    """Count repeated elements, nested ones too; stops soon after ELEMENTS_MAX."""
    count, pending = 0, [request]
    while pending and count <= ELEMENTS_MAX:
        for field, value in pending.pop().ListFields():
            elements = _values(field, value)
            count += len(elements) if field.is_repeated else 0
            if field.message_type is not None and count <= ELEMENTS_MAX:
                pending += [element for element in elements if isinstance(element, Message)]
    return count


def _with_nul(message: Message, prefix: str = "") -> Iterator[str]:
    """Yield the paths of the texts that hold a NUL."""
    for field, value in message.ListFields():
        if _left_alone(field):
            continue
        for index, element in enumerate(_values(field, value)):
            path = f"{prefix}{field.name}" + (f"[{index}]" if field.is_repeated else "")
            if isinstance(element, Message):
                yield from _with_nul(element, f"{path}.")
            elif isinstance(element, str) and "\0" in element:
                yield path


def _left_alone(field: FieldDescriptor) -> bool:
    rules = field.GetOptions().Extensions[validate_pb2.field]
    return validate_pb2.IGNORE_ALWAYS in (rules.ignore, rules.repeated.items.ignore)


def _values(field: FieldDescriptor, value: Any) -> Any:
    """Return what a field holds as a sequence; of a map its values."""
    if not field.is_repeated:
        return (value,)
    return list(value.values()) if hasattr(value, "values") else value


def _in_words(violation: protovalidate.ViolationPb) -> FieldViolation:
    elements = violation.field.elements if violation.field else ()
    path = "".join(_step(element) for element in elements)
    rule = violation.message or f"breaks the rule {violation.rule_id}"
    return FieldViolation(path.lstrip("."), rule)


def _step(element: protovalidate.FieldPathElementPb) -> str:
    name = f".{element.field_name}"
    if element.subscript is None:
        return name
    if element.subscript.field == "index":
        return f"{name}[{element.subscript.value}]"
    return f"{name}[{element.subscript.value!r}]"
