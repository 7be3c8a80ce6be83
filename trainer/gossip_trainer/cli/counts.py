"""Numbers with commas between them, as options give several."""

from gossip_trainer.cli.errors import InvalidCommand


def parse_counts(text: str) -> list[int]:
    """Read numbers of workers, such as 8,32,128.

    Raises:
        InvalidCommand: one of them is no whole number above 0.

    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and 0 < int(part) < 10**6 for part in parts):
        raise InvalidCommand(
            f"--workers {text}: must be whole numbers above 0 with commas between them, such as "
            "8,32,128"
        )
    return [int(part) for part in parts]
