"""The picture: valid, described, without a link to anywhere, the same every time."""

from __future__ import annotations

import dataclasses
import re
import sys
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from predicted import changed, coarse_instance, diverged, predicted
from toy_claims import Inline

from verification import gallery
from verification.prediction import plot as module
from verification.prediction.networks import train_networks
from verification.prediction.plot import render_plot
from verification.prediction.replicas import Plan

SVG = "{http://www.w3.org/2000/svg}"
LINK = re.compile(rb"(?<![\w:])(?:href|src)\s*=\s*\"(?!#)|url\((?!#)|@import|<!DOCTYPE|<!ENTITY")
NAMESPACES = (b"http://www.w3.org/2000/svg", b"http://www.w3.org/1999/xlink")
HOSTILE = "</svg>$\\frac{x$ 漢字 & <script>"


def test_it_is_described(onegin):
    root = ElementTree.fromstring(render_plot(onegin))
    title, description = root[0], root[1]
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root.get("aria-labelledby").split() == [title.get("id"), description.get("id")]
    assert title.tag == f"{SVG}title"
    assert title.text == "markov-onegin: the network of infinite width"
    assert description.tag == f"{SVG}desc"
    assert "state 0 ends near 0.116, its target 0.5" in description.text
    assert "The loss falls from near 0.143 to near 0.104" in description.text


@pytest.mark.parametrize(
    "instance",
    [
        *(gallery.load(name) for name in ("one-state", "snakes-and-ladders", "zero-memory")),
        coarse_instance(),
        changed(chain={"targets": ["0", "0"]}, name="zero"),
        changed(chain={"targets": ["1e100", "-1e99"]}, name="huge"),
        changed(training={"horizon": "1e8"}, name="long"),
        changed(training={"horizon": "1e-40"}, name="brief"),
        changed(training={"alpha": "1e-50"}, name="slow"),
        changed(training={"alpha": "1e50", "horizon": "1e-45"}, name="fast"),
        changed(name=HOSTILE),
    ],
    ids=lambda instance: instance.name[:20],
)
def test_it_is_whole_and_links_to_nothing(instance):
    whole_and_alone(render_plot(predicted(instance)))


def whole_and_alone(drawn):
    ElementTree.fromstring(drawn)
    assert not LINK.search(drawn)
    for namespace in NAMESPACES:
        drawn = drawn.replace(namespace, b"")
    assert b"http" not in drawn
    assert b"nan" not in drawn.lower()
    assert b"<script" not in drawn


@pytest.mark.parametrize(
    ("instance", "widths"),
    [
        (gallery.load("one-state"), (1,)),
        (gallery.load("snakes-and-ladders"), (3, 5)),
        (coarse_instance(), (8, 16)),
        (changed(chain={"targets": ["1e100", "-1e99"]}, name="huge"), (8, 16)),
        (changed(training={"horizon": "1e-40"}, name="brief"), (8, 16)),
        (changed(training={"horizon": "40"}, name="long"), (8, 16)),
        (changed(name=HOSTILE), (8, 16)),
    ],
    ids=lambda value: getattr(value, "name", "")[:20],
)
def test_it_is_whole_with_networks(instance, widths):
    plan = Plan(widths=widths, replicas=2)
    networks = train_networks(predicted(instance), plan, make_executor=Inline, jobs=1)
    whole_and_alone(render_plot(predicted(instance), networks))


def test_it_is_whole_where_networks_diverge(rain, networks):
    whole_and_alone(render_plot(rain, diverged(networks)))
    (widest,) = diverged(networks).ensembles[-1:]
    whole_and_alone(render_plot(rain, dataclasses.replace(networks, ensembles=(widest,))))


def test_networks_are_described(rain, networks):
    root = ElementTree.fromstring(render_plot(rain, networks))
    assert root[0].text == "rain-atoms: wide networks, and the limit"
    told = root[1].text
    for ensemble in networks.ensembles:
        assert f"12 networks of {ensemble.width} units: 0." in told
    assert render_plot(rain, networks) == render_plot(rain, networks)
    assert render_plot(rain, networks) != render_plot(rain)


def test_a_name_cannot_leave_its_place():
    root = ElementTree.fromstring(render_plot(predicted(changed(name=HOSTILE))))
    assert root[0].text.startswith(HOSTILE)
    assert list(root.iter("script")) == list(root.iter(f"{SVG}script")) == []


def test_equal_predictions_give_equal_bytes(onegin):
    assert render_plot(onegin) == render_plot(onegin)


def test_the_users_style_plays_no_part(onegin, monkeypatch):
    before = render_plot(onegin)
    import matplotlib as mpl  # noqa: PLC0415 - as slow as it is

    monkeypatch.setitem(mpl.rcParams, "lines.linewidth", 7)
    monkeypatch.setitem(mpl.rcParams, "axes.facecolor", "red")
    assert render_plot(onegin) == before
    assert mpl.rcParams["axes.facecolor"] == "red"


def test_pyplot_is_not_needed(onegin):
    """It would look for a screen."""
    render_plot(onegin)
    assert "matplotlib.pyplot" not in sys.modules


@pytest.mark.parametrize(
    "wanted", [[0.5], [0.0] * 8, [1.0] * 8, [0.1, 0.5, 0.51, 0.52, 0.9], [0.02, 0.03, 0.97, 0.99]]
)
def test_names_of_curves_are_kept_apart(wanted):
    places = module._apart(wanted)
    gaps = [b - a for a, b in pairwise(places)]
    assert all(gap >= module._LEAST_GAP - 1e-12 for gap in gaps)
    assert all(-1e-12 <= place <= 1 + 1e-12 for place in places)
    if wanted == [0.1, 0.5, 0.51, 0.52, 0.9]:
        assert (places[0], places[2], places[4]) == pytest.approx((0.1, 0.51, 0.9))
