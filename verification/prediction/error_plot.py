"""How far networks of finite width are from the limit, drawn into a prediction's picture."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, floor, isfinite, log, log10
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from verification.prediction.networks import Band, Ensemble, Networks
from verification.report.text import plural
from verification.strict_json import format_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]

_SHADE = 0.16
_FULL = 3
_MARGIN = 1.6
_DARK = "#5a5a5a"
_FEW_TICKS = 4
_RATE_DIGITS = 8


def shade(
    axes: Axes, times: Array, bands: Sequence[Band | None], colour: str, *, layers: int
) -> None:
    """Shade between the least and the greatest of several networks, and dot their mean.

    The shades of `layers` such bands, one over another, stay light.
    """
    known = [(time, band) for time, band in zip(times, bands, strict=True) if _drawable(band)]
    at = [time for time, _ in known]
    least, mean, greatest = (
        [getattr(band, name) for _, band in known] for name in ("least", "mean", "greatest")
    )
    axes.fill_between(
        at, least, greatest, color=colour, alpha=_SHADE * min(1, _FULL / layers), linewidth=0
    )
    axes.plot(at, mean, color=colour, linewidth=1.1, linestyle=(0, (1, 1.6)))


def _drawable(band: Band | None) -> bool:
    return band is not None and isfinite(band.least) and isfinite(band.greatest)


def heights(bands: Sequence[Band | None]) -> list[float]:
    """Return the least and the greatest of the bands that can be drawn."""
    known = [band for band in bands if band is not None and _drawable(band)]
    return [end for band in known for end in (band.least, band.greatest)]


def whose(ensemble: Ensemble) -> str:
    """Return which networks are shaded."""
    return f"{plural(len(ensemble.errors), 'network')} of {ensemble.width} units"


def errors(axes: Axes, networks: Networks, colour: str, faint: str) -> None:
    """Draw each network's error against its width, the fitted power and the theory's rate."""
    axes.set_title("error of each network against its width N: the largest |G − g| seen")
    axes.set_xlabel("width N (bar: the mean)")
    axes.set_xscale("log")
    axes.set_yscale("log")
    widths = [ensemble.width for ensemble in networks.ensembles]
    axes.set_xlim(widths[0] / _MARGIN, widths[-1] * _MARGIN)
    axes.minorticks_off()
    axes.set_xticks(widths, [str(width) for width in widths])
    seen = {
        ensemble.width: [x for x in ensemble.errors if isfinite(x) and x > 0]
        for ensemble in networks.ensembles
    }
    all_seen = [error for some in seen.values() for error in some]
    if not all_seen:
        axes.set_yticks([])
        axes.text(
            *(0.04, 0.5), "no error is positive and finite", transform=axes.transAxes, va="center"
        )
        return
    low, high = min(all_seen) / 1.2, max(all_seen) * 1.2
    axes.set_ylim(low, high)
    _ticks(axes, low, high)
    for width, some in seen.items():
        axes.plot([width] * len(some), some, "o", color=faint, markersize=4, alpha=0.45)
        if some:
            mean = sum(some) / len(some)
            axes.plot([width], [mean], "_", color=colour, markersize=22, markeredgewidth=2.2)
    _lines(axes, networks, widths, colour, faint)


def _ticks(axes: Axes, low: float, high: float) -> None:
    """Label 1, 2 and 5 times powers of ten, or the powers alone where these are many."""
    decades = range(floor(log10(low)), floor(log10(high)) + 2)
    steps = (1, 2, 5) if len(decades) <= _FEW_TICKS else (1,)
    ticks = [step * 10.0**k for k in decades for step in steps]
    shown = [tick for tick in ticks if low <= tick <= high]
    axes.set_yticks(shown, [f"{tick:g}" for tick in shown])
    axes.minorticks_off()


def _lines(axes: Axes, networks: Networks, widths: Sequence[int], colour: str, faint: str) -> None:
    slope = networks.slope
    if slope is None:
        return
    rate = float(networks.rate)
    ends = np.array([axes.get_xlim()[0], axes.get_xlim()[1]])
    centre = sum(map(log, widths)) / len(widths)
    middle = slope.intercept + slope.slope * centre
    fitted = np.exp(slope.intercept + slope.slope * np.log(ends))
    theory = exp(middle) * (ends / exp(centre)) ** -rate
    axes.plot(ends, fitted, color=colour, linewidth=1.4)
    axes.plot(ends, theory, color=faint, linewidth=1.2, linestyle=(0, (5, 3)))
    exact = format_number(networks.rate)
    shown = exact if len(exact) <= _RATE_DIGITS else f"{rate:.3g}"
    for place, text, ink in (
        (0.66, f"slope {slope.slope:.2f}\n({slope.lower:.2f} to\n{slope.upper:.2f})", colour),
        (0.34, f"theory:\n-{shown}\n(dashed)", _DARK),
    ):
        axes.text(
            *(1.03, place),
            text.replace("-", "−"),
            transform=axes.transAxes,
            fontsize=9.5,
            color=ink,
            va="center",
        )
