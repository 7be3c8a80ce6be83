"""Numbers with commas between them, as options give several."""

import re

from gossip_trainer.cli.errors import InvalidCommand

_COUNT = re.compile("[1-9][0-9]{0,5}")


def parse_counts(text: str) -> list[int]:
    """Read numbers of workers, such as 8,32,128.

    Raises:
        InvalidCommand: one of them is no whole number above 0 and below 1000000.

    """
    parts = [part.strip() for part in text.split(",")]
    if not all(_COUNT.fullmatch(part) for part in parts):
        raise InvalidCommand(
            f"--workers {text}: must be whole numbers above 0 and below 1000000 with commas "
            "between them, such as 8,32,128"
        )
    return [int(part) for part in parts]
