"""Whom a worker may exchange with, for every graph family and any number of workers.

Workers are places 0 .. n-1 in the order of the live ranks. Nobody is a peer of itself.
"""

import math
from collections.abc import Callable

Peers = tuple[int, ...]


def complete(place: int, size: int) -> Peers:
    """Return everybody else."""
    return tuple(other for other in range(size) if other != place)


def ring(place: int, size: int) -> Peers:
    """Return the two beside; of two workers the other one."""
    return _others(place, [(place + 1) % size, (place - 1) % size])


def torus(place: int, size: int) -> Peers:
    """Return the four beside in the grid nearest to a square; a prime number makes it a ring."""
    columns = torus_columns(size)
    rows = size // columns
    row, column = divmod(place, columns)
    return _others(
        place,
        [
            row * columns + (column + 1) % columns,
            row * columns + (column - 1) % columns,
            (row + 1) % rows * columns + column,
            (row - 1) % rows * columns + column,
        ],
    )


def torus_columns(size: int) -> int:
    """Return the longer side of the grid nearest to a square."""
    rows = next(r for r in range(math.isqrt(size), 0, -1) if size % r == 0)
    return size // rows


def hypercube(place: int, size: int) -> Peers:
    """Return those whose place differs in one bit, of those there are.

    Clearing a bit always leads to a place there is, so the graph is connected for any size.
    """
    bits = (size - 1).bit_length()
    return tuple(other for bit in range(bits) if (other := place ^ (1 << bit)) < size)


def exponential(place: int, size: int) -> Peers:
    """Return those 1, 2, 4, ... places further, in a circle."""
    return _others(place, [(place + offset) % size for offset in offsets(size)])


def one_peer_exponential(place: int, size: int, round_: int) -> Peers:
    """Return the one that is 2^k places further, with k going round.

    Reference: Ying et al., "Exponential graph is provably efficient for decentralized deep
    training", NeurIPS 2021. For a power of two, log2(size) rounds in a row average exactly.
    """
    steps = offsets(size)
    return _others(place, [(place + steps[round_ % len(steps)]) % size]) if steps else ()


def matching(place: int, size: int, draw: int) -> Peers:
    """Return the partner in the perfect matching number `draw`; of an odd number one stays out.

    There are `size - 1` matchings (`size`, if that is odd), which together pair everybody with
    everybody once: a round-robin tournament. With a random draw the partner is uniform among the
    others. Places i and j of the first m - 1 meet where i + j = draw modulo m - 1, and who would
    meet itself meets the last.
    """
    last = size - 1 if size % 2 == 0 else size  # of an odd number, a place that nobody has
    if place == last:
        other = draw * (last + 1) // 2 % last if last else 0
    else:
        other = (draw - place) % last if last else 0
        other = last if other == place else other
    return (other,) if other < size and other != place else ()


def shifted(place: int, size: int, draw: int) -> Peers:
    """Return the one `draw` places further, in a circle: a permutation, and no fixed point.

    With a random draw the peer is uniform among the others.
    """
    return ((place + 1 + draw % (size - 1)) % size,) if size > 1 else ()


def offsets(size: int) -> list[int]:
    """Return 1, 2, 4, ... below `size`."""
    return [1 << bit for bit in range((size - 1).bit_length())]


FIXED: dict[str, Callable[[int, int], Peers]] = {
    "Complete": complete,
    "Ring": ring,
    "Torus": torus,
    "Hypercube": hypercube,
    "Exponential": exponential,
}
"""The families whose peers do not change from round to round."""


def _others(place: int, candidates: list[int]) -> Peers:
    """Drop doubles and the place itself, keeping the order."""
    return tuple(other for other in dict.fromkeys(candidates) if other != place)
