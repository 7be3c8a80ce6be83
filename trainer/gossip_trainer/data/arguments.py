"""Checks of the arguments that a job gives to generated data: what is wrong has its place."""

import math

from gossip_trainer.errors import DataError


def integer(name: str, value: object, minimum: int) -> int:
    """Return `value` if it is an integer of at least `minimum`; else raise DataError."""
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise wrong(name, value, f"an integer >= {minimum}")
    return value


def positive(name: str, value: object) -> float:
    """Return `value` if it is a finite number above 0; else raise DataError."""
    number = _finite(value)
    if number is None or number <= 0:
        raise wrong(name, value, "a number > 0")
    return number


def not_negative(name: str, value: object) -> float:
    """Return `value` if it is a finite number of at least 0; else raise DataError."""
    number = _finite(value)
    if number is None or number < 0:
        raise wrong(name, value, "a number >= 0")
    return number


def wrong(name: str, got: object, expected: str) -> DataError:
    """Return the error for an argument with a wrong value."""
    return DataError(f"spec.training.data.args.{name}: got {got!r}, expected {expected}")


def _finite(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None
