"""Checks that the built-in models share: arguments from the job file and the shape of the data."""

from collections.abc import Sequence

from gossip_trainer.errors import ModelError


def check_widths(name: str, widths: object, *, length: int | None = None) -> Sequence[int]:
    """Return `widths` if it is a list of positive integers, of that length if one is given.

    Raises:
        ModelError: names the argument, what it is and what is expected.

    """
    if (
        isinstance(widths, list | tuple)
        and len(widths) == (len(widths) if length is None else length)
        and all(isinstance(width, int) and width is not True and width > 0 for width in widths)
    ):
        return widths
    kind = "a list of" if length is None else f"a list of {length}"
    raise ModelError(
        f"spec.training.model.args.{name}: got {widths!r}, expected {kind} integers >= 1"
    )


def check_count(name: str, value: object) -> int:
    """Return `value` if it is a positive integer.

    Raises:
        ModelError: names the argument, what it is and what is expected.

    """
    if isinstance(value, int) and value is not True and value > 0:
        return value
    raise ModelError(f"spec.training.model.args.{name}: got {value!r}, expected an integer >= 1")


def check_probability(name: str, value: object) -> float:
    """Return `value` if it is a number from 0 to below 1.

    Raises:
        ModelError: names the argument, what it is and what is expected.

    """
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1:
        return float(value)
    raise ModelError(
        f"spec.training.model.args.{name}: got {value!r}, expected a number >= 0 and below 1"
    )


def check_image_shape(
    model: str, input_shape: tuple[int, ...], *, min_side: int
) -> tuple[int, int, int]:
    """Return (channels, height, width) if inputs are images of at least that side.

    Raises:
        ModelError: they are not.

    """
    if len(input_shape) == 3 and min(input_shape[1:]) >= min_side:
        channels, height, width = input_shape
        return channels, height, width
    raise ModelError(
        f"spec.training.model.name {model}: the data has inputs of shape {list(input_shape)}, "
        f"expected [channels, height, width] of at least {min_side} pixels; mlp takes any shape"
    )
