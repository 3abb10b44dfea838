"""The contracts in protos/: generated code follows them, and nobody outside is broken by them."""

from protos import build


def test_generated_code_is_what_the_contracts_generate() -> None:
    build.check()


def test_the_contracts_are_written_as_the_house_rules_say() -> None:
    build.lint()


def test_the_contracts_break_no_released_caller() -> None:
    build.breaking()
