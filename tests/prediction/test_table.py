"""One screen of 80 columns."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from predicted import changed, coarse_instance, diverged, predicted
from toy_claims import Inline

from verification import gallery
from verification.prediction import table as module
from verification.prediction.networks import train_networks
from verification.prediction.replicas import Plan
from verification.prediction.table import render_table
from verification.verdict import Enclosure

NAMES = ["one-state", "sunspots", "snakes-and-ladders", "zero-memory", "absorbing", "hidden-state"]


@pytest.mark.parametrize(
    "instance",
    [
        *(gallery.load(name) for name in NAMES),
        coarse_instance(),
        changed(chain={"targets": ["0", "0"]}, name="zero"),
        changed(chain={"targets": ["1e-200", "0"]}, name="tiny"),
        changed(chain={"targets": ["1e100", "-1e99"]}, name="huge"),
        changed(training={"horizon": "1e8"}, name="long"),
        changed(training={"horizon": "1e-40"}, name="brief"),
        changed(name="x" * 120),
    ],
    ids=lambda instance: instance.name[:20],
)
def test_it_fits_a_screen(instance):
    lines = render_table(predicted(instance), Path("reports/prediction")).splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert len(lines) <= 36


@pytest.mark.parametrize("change", [lambda networks: networks, diverged])
def test_networks_fit_a_screen(rain, networks, change):
    lines = render_table(rain, Path("reports/prediction"), change(networks)).splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert len(lines) <= 48


def test_wide_numbers_fit_a_screen():
    """The widest there may be, and shares of very many networks."""
    networks = train_networks(
        predicted(changed()), Plan(widths=(4, 5), replicas=2), make_executor=Inline, jobs=1
    )
    (first, second) = (
        dataclasses.replace(
            ensemble,
            width=2**24,
            errors=(1.2345e-101,) * count,
            content=Fraction(999, 1000),
            inside=0.99999,
        )
        for ensemble, count in zip(networks.ensembles, (100_000, 2), strict=True)
    )
    text = render_table(
        predicted(changed()),
        Path("out"),
        dataclasses.replace(networks, ensembles=(first, second), interrupted=True),
    )
    assert max(map(len, text.splitlines())) <= 80
    assert "  16777216  100000    1.24e-101   1.24e-101  ≥ 99.9 %      99 %" in text
    assert "Interrupted" in text


def test_it_says_how_near_the_networks_are(rain, networks):
    text = " ".join(render_table(rain, Path("out"), networks).split())
    last = networks.ensembles[-1]
    assert f"{last.width} 12 {module.error_text(last.mean_error)} " in text
    share = f"{float(100 * last.content):g} %"
    assert (
        f"A network of 256 units is within {module.error_text(last.largest_error)} of the limit up "
        f"to t = 3: with confidence 95 %, all rows together, at least {share} of all such "
        "networks are, at the 33 times and 2 points that were looked at."
    ) in text
    assert f"The mean error goes as N^{networks.slope.slope:.2f} (95 % of resamples:" in text
    assert "the theory's rate is N^-0.25. This is a diagnostic, not a proof." in text
    assert "networks.csv" in text


def test_networks_that_diverged_are_not_said_to_be_near(rain, networks):
    text = " ".join(render_table(rain, Path("out"), diverged(networks)).split())
    assert "256 12 not finite not finite" in text
    assert "is within not finite" not in text


@pytest.mark.parametrize(
    ("error", "shown"),
    [(0.051234, "0.0513"), (0.05, "0.0501"), (123.4, "124"), (2.4e-5, "2.41e-5"), (0.0, "0")],
)
def test_errors_are_rounded_up(error, shown):
    assert module.error_text(error) == shown


def test_it_says_what_becomes_of_the_network(onegin):
    text = render_table(onegin, Path("out"))
    for part in (
        "markov-onegin: the limit of infinite width, trained with alpha = 2 up to t = 1",
        "  t = 0            0.14348534…",
        "  t = 1            0.10432377…   27.2930",
        "  0     43.2 %   0.2333    0.5",
        "  0.053108255…        ≈ 84 %         3.2628975…           19.138552… %",
        "≈ 0 % is left: not learned by any time that was looked at",
        f"files: {Path('out/prediction.json')}, limit.svg, limit.csv, spectrum.csv",
    ):
        assert part in text


def test_what_is_not_told_apart_is_not_said_to_be_unlearned():
    text = " ".join(render_table(predicted(coarse_instance()), Path("out")).split())
    assert "not learned by any time" not in text
    assert "is left: not told apart; [0, " in text


def test_nothing_to_learn():
    text = render_table(predicted(changed(chain={"targets": ["0", "0"]})), Path("out"))
    assert "there is nothing to learn" in text
    assert "is left" not in text


@pytest.mark.parametrize(
    ("lower", "upper", "shown"),
    [
        ("0.1234567890123", "0.1234567890124", "0.12345678…"),
        ("1.2341e-7", "4.5678e-7", "1.2e-7 to 4.6e-7"),
        ("0.0000531", "0.000059", "5.3e-5 to 5.9e-5"),
        ("-1.2341e-101", "4.5678e-107", "size ≤ 1.3e-101"),
        ("-1.23456e-1001", "4.5678e-1007", "size ≤ 1.3e-1001"),
    ],
)
def test_numbers_fit_their_columns_and_stay_true(lower, upper, shown):
    text = module._shown(Enclosure(Decimal(lower), Decimal(upper)))
    assert text == shown
    assert len(text) <= 19
