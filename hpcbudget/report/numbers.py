"""How numbers read in a sentence, a table or an alternative text."""

from __future__ import annotations

import math

MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"


def flux_text(value: float, digits: int = 2) -> str:
    """Return a flux with its sign as a typesetter writes it; a dash for what is not known.

    Examples
    --------
    >>> flux_text(-2.345), flux_text(0.1, 1), flux_text(float("nan"))
    ('−2.35', '+0.1', '–')
    >>> flux_text(-0.001)
    '0.00'
    """
    if not math.isfinite(value):
        return NOTHING
    text = f"{value:+.{digits}f}"
    if float(text) == 0:
        return text[1:]
    return text.replace("-", MINUS)


def spread_text(value: float, digits: int = 2) -> str:
    """Return a spread without a sign; a dash for what is not known.

    Examples
    --------
    >>> spread_text(0.304), spread_text(float("nan"))
    ('0.30', '–')
    """
    return f"{value:.{digits}f}" if math.isfinite(value) else NOTHING


def mean_text(mean: float, sd: float, digits: int = 2) -> str:
    """Return ``mean ± sd``, or the mean alone where a spread is not defined.

    Examples
    --------
    >>> mean_text(-2.56, 0.4), mean_text(-2.56, float("nan"))
    ('−2.56 ± 0.40', '−2.56')
    """
    if not math.isfinite(mean) or not math.isfinite(sd):
        return flux_text(mean, digits)
    return f"{flux_text(mean, digits)} ± {spread_text(sd, digits)}"


def plain_text(value: object) -> str:
    """Return any cell of a table as text: numbers short, missing as a dash.

    Examples
    --------
    >>> plain_text(1234567.0), plain_text(2e-15), plain_text(None), plain_text(True)
    ('1.235e+06', '2e-15', '–', 'yes')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}".replace("-", MINUS) if abs(value) >= 1e-4 else f"{value:.3g}"
    return str(value)
