"""A prediction on one screen of at most 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from math import floor, isfinite
from pathlib import Path

from verification.prediction.networks import LEVEL, Networks
from verification.prediction.prediction import Direction, Prediction
from verification.report.digits import short
from verification.report.text import brief, plural
from verification.statistics.slope import SlopeEstimate
from verification.strict_json import format_number
from verification.verdict import Enclosure

_WIDTH = 79
_POINTS = (6, 9, 10, 12, 20, 20)
_SPECTRUM = (20, 15, 21, 20)
_ENSEMBLES = (10, 10, 12, 11, 14, 20)
_MOST_DIRECTIONS = 8
_LEAST_SHARE = 1e-6
_DIGITS = (17, 6)
_MOST_CHARACTERS = 19
_POSITIONAL = range(-3, 3)
_NOTICED = Decimal("0.001")
_EXACT = Context(prec=100)


def render_table(prediction: Prediction, out: Path, networks: Networks | None = None) -> str:
    """Return the table, and where the files lie."""
    lines = [
        *_filled(
            f"{brief(prediction.instance.name, 60)}: the limit of infinite width, trained with "
            f"alpha = {_plain(prediction.training.alpha)} up to t = {_plain(prediction.times[-1])}"
        ),
        "",
        *_loss(prediction),
        "",
        *_points(prediction),
        "",
        *_directions(prediction),
        "",
    ]
    more = ""
    if networks is not None and networks.ensembles:
        lines += [*_networks(prediction, networks), ""]
        more = ",\n    networks.csv"
    for note in (*prediction.notes, *(() if networks is None else networks.notes)):
        lines += _filled(note)
    lines.append(f"files: {out / 'prediction.json'}, limit.svg, limit.csv, spectrum.csv{more}")
    return "\n".join(lines)


def _loss(prediction: Prediction) -> list[str]:
    lines = ["loss, the mean of (g_t - y)^2 along the sequence"]
    for k in _shown_times(prediction.times):
        bounds = prediction.limit.losses[k]
        gone = ""
        if k == len(prediction.times) - 1 and prediction.learned is not None:
            gone = f"   {_percent(prediction.learned)} of it is gone"
        lines.append(f"  t = {_plain(prediction.times[k]):<12} {_shown(bounds)}{gone}")
    return lines


def _points(prediction: Prediction) -> list[str]:
    middle, last = _shown_times(prediction.times)[1:]
    times = prediction.times
    lines = [
        "output g_t(x, v) at the mean memory v of "
        + (
            "each state"
            if len(prediction.points) == prediction.instance.chain.n_states
            else f"{plural(len(prediction.points), 'likely state')} "
            f"of {prediction.instance.chain.n_states}"
        ),
        _row(
            _POINTS,
            [
                "state",
                "visited",
                "memory",
                "target",
                *(f"t = {_plain(times[k])}" for k in (middle, last)),
            ],
        ),
    ]
    lines += [
        _row(
            _POINTS,
            [
                str(point.state),
                f"{100 * point.probability_estimate:.3g} %",
                _plain(point.memory),
                _plain(point.target),
                *(_shown(prediction.limit.outputs[k][column]) for k in (middle, last)),
            ],
        )
        for column, point in enumerate(prediction.points)
    ]
    return lines


def _directions(prediction: Prediction) -> list[str]:
    lines = [
        "what is learned when, direction by direction",
        _row(_SPECTRUM, ["eigenvalue", "part of loss", "half learned at t", "learned at the end"]),
    ]
    notable = [
        direction
        for direction in prediction.directions
        if direction.share_estimate is None or direction.share_estimate >= _LEAST_SHARE
    ][:_MOST_DIRECTIONS]
    lines += [
        _row(
            _SPECTRUM,
            [
                _shown(direction.eigenvalue),
                share_text(direction),
                _shown(direction.half_time),
                _percent(direction.learned),
            ],
        )
        for direction in notable
    ]
    left_out = len(prediction.directions) - len(notable)
    if left_out:
        lines.append(f"  and {plural(left_out, 'direction')} more in spectrum.csv")
    return [*lines, *_rest(prediction.rest)]


def _rest(rest: Direction) -> list[str]:
    if rest.share_estimate is None:
        return []
    size = f"  {share_text(rest)} is left: "
    if rest.learned.upper < _NOTICED:
        return _filled(size + "not learned by any time that was looked at")
    return _filled(
        f"{size}not told apart; {_percent(rest.learned)} of it is learned at the end, half of it "
        f"not before t = {float(rest.half_time.lower):.3g}"
    )


def _networks(prediction: Prediction, networks: Networks) -> list[str]:
    where = f"{plural(len(prediction.times), 'time')} and {plural(len(prediction.points), 'point')}"
    lines = [
        "networks of N units, drawn and trained, against the limit",
        _row(
            _ENSEMBLES,
            ["N", "networks", "mean error", "largest", "share within", "range holds limit"],
        ),
    ]
    lines += [
        _row(
            _ENSEMBLES,
            [
                str(ensemble.width),
                str(len(ensemble.errors)),
                error_text(ensemble.mean_error),
                error_text(ensemble.largest_error),
                f"≥ {percent_text(ensemble.content)}",
                f"{floor(100 * ensemble.inside)} %",
            ],
        )
        for ensemble in networks.ensembles
    ]
    widest = networks.ensembles[-1]
    if isfinite(widest.largest_error):
        lines += _filled(
            f"  A network of {widest.width} units is within {error_text(widest.largest_error)} of "
            f"the limit up to t = {_plain(prediction.times[-1])}: with confidence "
            f"{percent_text(1 - LEVEL)}, all rows together, at least "
            f"{percent_text(widest.content)} of all such networks are, at the {where} that were "
            "looked at. The error is the largest |G - g_t| there, the limit's own included."
        )
    if networks.slope is not None:
        lines += _filled(f"  {slope_text(networks.slope, networks.rate)}")
    if networks.interrupted:
        lines += _filled("  Interrupted: the networks that were trained by then.")
    return lines


def error_text(error: float) -> str:
    """Return an error to three digits, rounded up."""
    if not isfinite(error):
        return "not finite"
    rounded = Context(prec=3, rounding=ROUND_CEILING).plus(Decimal(error))
    return f"{rounded:g}" if rounded.adjusted() in _POSITIONAL else f"{rounded:.2e}"


def percent_text(share: Fraction) -> str:
    """Return a share in thousandths as a percentage, exactly."""
    return f"{format_number(100 * share)} %"


def slope_text(slope: SlopeEstimate, rate: Fraction) -> str:
    """Return the fitted slope beside the theory's."""
    return (
        f"The mean error goes as N^{slope.slope:.2f} ({percent_text(1 - slope.level)} of "
        f"resamples: {slope.lower:.2f} to {slope.upper:.2f}); the theory's rate is "
        f"N^-{_plain(rate)}. This is a diagnostic, not a proof."
    )


def _shown_times(times: Sequence[Fraction]) -> tuple[int, int, int]:
    return 0, len(times) // 2, len(times) - 1


def _shown(bounds: Enclosure) -> str:
    """Return a text that fits its column: few digits, all of them true."""
    for digits in _DIGITS:
        text = short(bounds.rounded(digits).to_json())
        if len(text) <= _MOST_CHARACTERS:
            return text
    text = f"{_brief(bounds.lower, ROUND_FLOOR)} to {_brief(bounds.upper, ROUND_CEILING)}"
    if len(text) <= _MOST_CHARACTERS:
        return text
    return f"size ≤ {_brief(max(-bounds.lower, bounds.upper), ROUND_CEILING)}"


def _brief(value: Decimal, rounding: str) -> str:
    rounded = Context(prec=2, rounding=rounding).plus(value)
    if rounded.adjusted() in _POSITIONAL or not rounded:
        return f"{rounded:g}"
    # A mantissa of one digit keeps it short: 5e-7, and 5.9e-7 where there are two.
    return f"{rounded:.1e}" if len(rounded.normalize().as_tuple().digits) > 1 else f"{rounded:.0e}"


def _percent(bounds: Enclosure) -> str:
    hundredfold = Enclosure(
        *(_EXACT.multiply(x, Decimal(100)) for x in (bounds.lower, bounds.upper))
    )
    return f"{_shown(hundredfold)} %"


def share_text(direction: Direction) -> str:
    """Return the estimate of a direction's share of the loss at time 0."""
    if direction.share_estimate is None:
        return "unknown" if direction.part_estimate else "none"
    percent = 100 * direction.share_estimate
    return "≈ 0 %" if percent < 100 * _LEAST_SHARE else f"≈ {percent:.3g} %"


def _plain(value: Fraction) -> str:
    """Return a number exactly where that is short."""
    exact = format_number(value)
    return exact if len(exact) <= 9 else f"~{float(value):.4g}"


def _row(widths: Sequence[int], cells: Sequence[str]) -> str:
    padded = (f"{cell:<{width - 1}} " for cell, width in zip(cells, widths, strict=True))
    return ("  " + "".join(padded)).rstrip()


def _filled(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="", subsequent_indent="    ")
