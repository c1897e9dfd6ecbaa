"""A prediction as a picture, SVG: outputs, loss, and what is learned when.

Nothing but the document of a prediction goes into it, letters are drawn as paths, and no date or
random name is: equal predictions give equal bytes, and it looks the same everywhere.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from math import ceil, floor, log10, sqrt
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from verification.prediction.error_plot import errors, shade, whose
from verification.prediction.error_plot import heights as heights_of
from verification.prediction.networks import Ensemble, Networks
from verification.prediction.prediction import Prediction
from verification.prediction.table import error_text, share_text
from verification.report.text import brief, clean, plural
from verification.strict_json import format_number
from verification.verdict import Enclosure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.typing import RcKeyType

Array = npt.NDArray[np.float64]

# Okabe and Ito's colours, told apart by those who see fewer; the yellow one is darkened.
_COLOURS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7"),
    *("#56b4e9", "#b07d00", "#7f3c8d", "#000000"),
)
_FONT = "DejaVu Sans"  # comes with matplotlib
_INK, _FAINT = "#222222", "#8a8a8a"
_STYLE: dict[RcKeyType, Any] = {
    "svg.hashsalt": "kernel-limit-theorems",
    "svg.fonttype": "path",
    "font.family": [_FONT],
    "font.size": 10,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "text.color": _INK,
    "text.parse_math": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
}
# Of the charts, in units; inches a unit; the gap below a chart, in units.
_HEIGHTS, _ERROR_HEIGHT = (5, 3, 4), 4
_INCHES, _GAP = 0.59, 1.68
# In inches.
_WIDTH, _TOP, _TITLE, _LEGEND, _BOTTOM = 8.0, 0.9, 0.4, 0.26, 0.6
_LEAST_SHARE = 1e-6
_LEAST_GAP = 0.055
_BAND = 0.15
_MOST_NAMED = 6
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SVG = "http://www.w3.org/2000/svg"


def render_plot(prediction: Prediction, networks: Networks | None = None) -> bytes:
    """Return the picture."""
    # It would tell about its cache of fonts on standard error.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import matplotlib as mpl  # noqa: PLC0415 - slow to load
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        ensembles = () if networks is None else networks.ensembles
        widest = ensembles[-1] if ensembles else None
        heights = (*_HEIGHTS, _ERROR_HEIGHT) if ensembles else _HEIGHTS
        top = _TOP + (_LEGEND if ensembles else 0.0)
        height = top + _BOTTOM + _INCHES * (sum(heights) + _GAP * (len(heights) - 1))
        figure = Figure(figsize=(_WIDTH, height), facecolor="white")
        FigureCanvasSVG(figure)
        charts = figure.subplots(len(heights), 1, height_ratios=heights)
        figure.subplots_adjust(
            left=0.115,
            right=0.86,
            top=1 - top / height,
            bottom=_BOTTOM / height,
            hspace=_GAP * len(heights) / sum(heights),
        )
        figure.text(
            *(0.115, 1 - _TITLE / height),
            _drawable(_title(prediction, networks)),
            fontsize=13,
            fontweight="bold",
            va="center",
        )
        if widest is not None:
            figure.text(
                *(0.115, 1 - (_TITLE + _LEGEND) / height),
                f"shaded: from the least to the greatest of {whose(widest)}; dotted: their mean",
                fontsize=9.5,
                va="center",
            )
        _outputs(charts[0], prediction, widest)
        _loss(charts[1], prediction, widest)
        _spectrum(charts[2], prediction)
        if networks is not None and ensembles:
            errors(charts[3], networks, _COLOURS[0], _FAINT)
        drawn = io.BytesIO()
        figure.savefig(
            drawn,
            format="svg",
            metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")),
        )
    return _described(drawn.getvalue(), prediction, networks)


def _title(prediction: Prediction, networks: Networks | None) -> str:
    what = "wide networks, and the limit" if networks is not None and networks.ensembles else ""
    return f"{brief(prediction.instance.name, 40)}: {what or 'the network of infinite width'}"


def _drawable(text: str) -> str:
    """Replace what the font cannot draw."""
    from matplotlib.font_manager import FontProperties, findfont, get_font  # noqa: PLC0415

    font = get_font(findfont(FontProperties(family=_FONT)))
    return "".join(c if font.get_char_index(ord(c)) else "\ufffd" for c in text)


def _clock(axes: Axes, prediction: Prediction) -> tuple[Array, slice]:
    """Set up the axis of time; return the times and which of them it can show."""
    times = np.array([float(time) for time in prediction.times])
    # Evenly spaced times, or so many for each halving.
    even = times[1] * (len(times) - 1) >= times[-1] * (1 - 1e-9)
    shown = slice(0 if even else 1, None)
    if not even:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(_power_of_ten)
        axes.minorticks_off()
    axes.set_xlim(times[shown][0], times[-1])
    return times[shown], shown


def _ends(bounds: Sequence[Enclosure]) -> tuple[Array, Array]:
    return (
        np.array([float(x.lower) for x in bounds]),
        np.array([float(x.upper) for x in bounds]),
    )


def _band(axes: Axes, times: Array, lower: Array, upper: Array, colour: str) -> None:
    """Draw an enclosure, by both of its ends: where it is narrow they are one line."""
    axes.fill_between(times, lower, upper, color=colour, alpha=_BAND, linewidth=0)
    for end in (lower, upper):
        axes.plot(times, end, color=colour, linewidth=1.6)


def _outputs(axes: Axes, prediction: Prediction, widest: Ensemble | None) -> None:
    times, shown = _clock(axes, prediction)
    several = len(prediction.points) < prediction.instance.chain.n_states
    which = f"{plural(len(prediction.points), 'likely state')}" if several else "each state"
    axes.set_title(f"output g at the mean memory of {which} (dashed: its target)")
    axes.axhline(0, color=_FAINT, linewidth=0.6)
    heights, labels = [], []
    seen: list[float] = [0.0]
    for column, point in enumerate(prediction.points):
        colour = _COLOURS[column % len(_COLOURS)]
        lower, upper = _ends([values[column] for values in prediction.limit.outputs[shown]])
        if widest is not None:
            bands = [row[column] for row in widest.outputs[shown]]
            shade(axes, times, bands, colour, layers=len(prediction.points))
            seen += heights_of(bands)
        _band(axes, times, lower, upper, colour)
        middle = (lower + upper) / 2
        target = float(point.target)
        axes.axhline(target, color=colour, linewidth=1.1, linestyle=(0, (5, 3)), alpha=0.8)
        seen += [target, *middle.tolist()]
        heights.append(float(middle[-1]))
        labels.append((f"state {point.state}", colour))
    # The bands may be wide beyond all measure; they are cut off.
    low, high = min(seen), max(seen)
    margin = 0.06 * (high - low) or 1.0
    axes.set_ylim(low - margin, high + margin)
    _name(axes, heights, labels)


def _name(axes: Axes, heights: list[float], labels: list[tuple[str, str]]) -> None:
    """Name the curves at their ends, none over another."""
    low, high = axes.get_ylim()
    order = sorted(range(len(heights)), key=lambda k: heights[k])
    wanted = [(heights[k] - low) / (high - low) for k in order]
    places = _apart(wanted)
    for k, place, end in zip(order, places, wanted, strict=True):
        text, colour = labels[k]
        axes.annotate(
            text,
            xy=(1, end),
            xytext=(1.035, place),
            xycoords="axes fraction",
            textcoords="axes fraction",
            color=colour,
            va="center",
            fontsize=9.5,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.7,
                "shrinkA": 1,
                "relpos": (0, 0.5),
                "shrinkB": 0,
            },
        )


def _apart(wanted: Sequence[float]) -> list[float]:
    """Move increasing heights apart: midway between pushing them up and pushing them down."""
    up, down = list(wanted), list(wanted)
    for k in range(1, len(wanted)):
        up[k] = max(up[k], up[k - 1] + _LEAST_GAP)
        down[-k - 1] = min(down[-k - 1], down[-k] - _LEAST_GAP)
    # Each step keeps neighbours apart: so do means, maxima and minima of such sequences.
    between = [(above + below) / 2 for above, below in zip(up, down, strict=True)]
    lifted = [max(place, k * _LEAST_GAP) for k, place in enumerate(between)]
    last = len(wanted) - 1
    return [min(place, 1 - (last - k) * _LEAST_GAP) for k, place in enumerate(lifted)]


def _loss(axes: Axes, prediction: Prediction, widest: Ensemble | None) -> None:
    times, shown = _clock(axes, prediction)
    lower, upper = _ends(prediction.limit.losses[shown])
    axes.set_title("loss, the mean square of g − y along the sequence")
    highest = float(prediction.limit.losses[0].upper)
    if widest is not None:
        every = np.array([float(time) for time in prediction.times])
        shade(axes, (every[:-1] + every[1:]) / 2, widest.losses, _COLOURS[0], layers=1)
        highest = max(highest, *heights_of(widest.losses), 0.0)
    _band(axes, times, lower, upper, _COLOURS[0])
    axes.set_ylim(0, highest * 1.06 or 1.0)
    axes.set_xlabel("time t, in units of N steps of training")


def _spectrum(axes: Axes, prediction: Prediction) -> None:
    from matplotlib.patheffects import withStroke  # noqa: PLC0415 - slow to load

    horizon = float(prediction.times[-1])
    notable = [
        direction
        for direction in prediction.directions
        if direction.share_estimate is not None and direction.share_estimate >= _LEAST_SHARE
    ]
    axes.set_title("what is learned when: each direction's share of the loss at t = 0 (estimate)")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(_LEAST_SHARE, 20)
    axes.set_yticks([1e-6, 1e-4, 1e-2, 1], ["0.0001 %", "0.01 %", "1 %", "100 %"])
    axes.xaxis.set_major_formatter(_power_of_ten)
    axes.minorticks_off()
    axes.set_xlabel("time at which half of it is learned (λ: its eigenvalue)")
    middles = [_geometric(direction.half_time) for direction in notable]
    start, end = min([horizon, *middles]), max([horizon, *middles])
    axes.set_xlim(10.0 ** (floor(log10(start)) - 0.3), 10.0 ** (ceil(log10(end)) + 0.6))
    axes.axvspan(horizon, axes.get_xlim()[1], color="#f0f0f0", linewidth=0)
    axes.text(horizon, 8, f" after the end, t = {_short(prediction)}", va="center", fontsize=9)
    for k, (direction, middle) in enumerate(zip(notable, middles, strict=True)):
        share = float(direction.share_estimate or 0)
        colour = _COLOURS[0] if middle <= horizon else _FAINT
        axes.plot([middle, middle], [_LEAST_SHARE, share], color=colour, linewidth=1.6)
        axes.fill_betweenx(
            [_LEAST_SHARE, share],
            max(float(direction.half_time.lower), axes.get_xlim()[0]),
            min(float(direction.half_time.upper), axes.get_xlim()[1]),
            color=colour,
            alpha=_BAND,
            linewidth=0,
        )
        axes.plot([middle], [share], "o", color=colour, markersize=5)
        if k < _MOST_NAMED:
            value = _geometric(direction.eigenvalue)
            axes.annotate(
                f"λ = {value:#.2g}",
                xy=(middle, share),
                xytext=(5, 3),
                textcoords="offset points",
                fontsize=8.5,
                path_effects=[withStroke(linewidth=2.5, foreground="white")],
            )
    if not notable:
        axes.text(*(0.04, 0.5), "no direction is told apart", transform=axes.transAxes, va="center")
    if prediction.rest.share_estimate is not None:
        axes.text(
            1.02,
            0.5,
            f"the rest:\n{share_text(prediction.rest)}",
            transform=axes.transAxes,
            fontsize=9.5,
            va="center",
        )


def _geometric(bounds: Enclosure) -> float:
    return sqrt(float(bounds.lower)) * sqrt(float(bounds.upper))


def _power_of_ten(value: float, _position: object = None) -> str:
    return "10" + str(round(log10(value))).translate(_SUPERSCRIPTS) if value > 0 else ""


def _short(prediction: Prediction) -> str:
    exact = format_number(prediction.times[-1])
    return exact if len(exact) <= 8 else f"{float(prediction.times[-1]):.3g}"


def _described(drawn: bytes, prediction: Prediction, networks: Networks | None) -> bytes:
    """Give the picture a title and a description, and take the reference to its DTD away."""
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    root = ElementTree.fromstring(drawn)  # noqa: S314 - what matplotlib has just written
    root.set("role", "img")
    root.set("aria-labelledby", "title description")
    for place, (tag, name, text) in enumerate(
        (
            ("title", "title", clean(_title(prediction, networks))),
            ("desc", "description", _description(prediction, networks)),
        )
    ):
        element = ElementTree.Element(f"{{{_SVG}}}{tag}", {"id": name})
        element.text = text
        root.insert(place, element)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _description(prediction: Prediction, networks: Networks | None) -> str:
    """Return in words what the picture shows."""
    finite = ""
    if networks is not None and networks.ensembles:
        shown = "; ".join(
            f"{whose(ensemble)}: {error_text(ensemble.mean_error)} in the mean, at most "
            f"{error_text(ensemble.largest_error)}"
            for ensemble in networks.ensembles
        )
        finite = f" A fourth chart, of errors against the width: {shown}."
    losses = prediction.limit.losses
    ends = [
        f"state {point.state} ends near {_middle(values):.3g}, its target {float(point.target):.3g}"
        for point, values in zip(prediction.points, prediction.limit.outputs[-1], strict=True)
    ]
    return (
        f"Three charts. The output over time t from 0 to {_short(prediction)}: {'; '.join(ends)}. "
        f"The loss falls from near {_middle(losses[0]):.3g} to near {_middle(losses[-1]):.3g}. "
        f"The time at which half of each direction is learned, for "
        f"{plural(len(prediction.directions), 'direction')}.{finite}"
    )


def _middle(bounds: Enclosure) -> float:
    return (float(bounds.lower) + float(bounds.upper)) / 2
