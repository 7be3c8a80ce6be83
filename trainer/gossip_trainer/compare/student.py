"""Student's t distribution with a whole number of degrees of freedom. Pure."""

import math

HALVINGS = 60


def central_probability(angle: float, freedom: int) -> float:
    """Return P(|T| <= sqrt(freedom) tan(angle)) for `freedom` degrees of freedom.

    The finite series of Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and
    26.7.4; `angle` in [0, pi/2].
    """
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = term if freedom > 1 else 0.0
    for k in range(3 if odd else 2, freedom - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total


def quantile(confidence: float, freedom: int) -> float:
    """Return the t with P(|T| <= t) = `confidence`, by bisection of the angle.

    For 95 % and 2 degrees of freedom that is 4.303.
    """
    low, high = 0.0, math.pi / 2
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if central_probability(middle, freedom) < confidence:
            low = middle
        else:
            high = middle
    return math.sqrt(freedom) * math.tan((low + high) / 2)
