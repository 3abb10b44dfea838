"""What the notify service refuses, with its reasons (error_reason.proto)."""

from chassis.kernel import Category, FieldViolation, Refusal


def template_invalid(message: str, line: int | None) -> Refusal:
    """A template that doesn't compile or uses what it doesn't declare."""
    metadata = {} if line is None else {"line": str(line)}
    return Refusal(
        Category.INVALID,
        "TEMPLATE_INVALID",
        message,
        fields=(FieldViolation("template.body", message),),
        metadata=metadata,
    )
