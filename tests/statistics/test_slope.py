"""The fitted power: exact on powers, against scipy's regression and bootstrap."""

from __future__ import annotations

from fractions import Fraction
from math import log

import numpy as np
import pytest
from scipy.stats import bootstrap, linregress

from verification.statistics import slope
from verification.statistics.slope import LEAST_ERRORS, fit_slope

LEVEL = Fraction(1, 20)
WIDTHS = (16, 64, 256, 1024)
ENOUGH = np.linspace(0.1, 0.2, LEAST_ERRORS)


def drawn(count: int, seed: int = 1):
    """Return errors of mean 3 N^-0.3 and relative deviation 1/2."""
    generator = np.random.default_rng(seed)
    return [3 * width**-0.3 * generator.uniform(0.134, 1.866, count) for width in WIDTHS]


@pytest.mark.parametrize("power", [-0.25, 0.0, 1.5])
def test_a_power_is_found(power):
    errors = [np.full(LEAST_ERRORS, 0.7 * width**power) for width in WIDTHS]
    found = fit_slope(WIDTHS, errors, level=LEVEL, seed=0)
    for value in (found.slope, found.lower, found.upper):
        assert value == pytest.approx(power, abs=1e-12)
    assert found.intercept == pytest.approx(log(0.7), abs=1e-12)
    assert found.level == LEVEL


def test_it_is_the_least_squares_line():
    errors = drawn(17)
    found = fit_slope(WIDTHS, errors, level=LEVEL, seed=0)
    line = linregress(np.log(WIDTHS), np.log([sample.mean() for sample in errors]))
    assert found.slope == pytest.approx(line.slope, rel=1e-12)
    assert found.intercept == pytest.approx(line.intercept, rel=1e-12)


@pytest.mark.parametrize("level", [Fraction(1, 20), Fraction(1, 2)])
def test_the_interval_is_that_of_scipys_bootstrap(level):
    """Both err by their resampling: the 2.5 % quantile of 2,000 by 7 % of a deviation, or 4 % of
    the interval's half width; the difference of two by 6 %.  Five times that is allowed."""
    errors = drawn(40)
    found = fit_slope(WIDTHS, errors, level=level, seed=0)

    def fitted(*samples, axis=-1):
        means = np.log([sample.mean(axis=axis) for sample in samples])
        return np.polynomial.polynomial.polyfit(np.log(WIDTHS), means, 1)[1]

    peer = bootstrap(
        errors,
        fitted,
        n_resamples=2_000,
        confidence_level=1 - float(level),
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(3),
    ).confidence_interval
    half = (peer.high - peer.low) / 2
    assert abs(found.lower - peer.low) < 0.3 * half
    assert abs(found.upper - peer.high) < 0.3 * half


def test_the_same_seed_gives_the_same_interval():
    errors = drawn(LEAST_ERRORS)
    one, two, other = (fit_slope(WIDTHS, errors, level=LEVEL, seed=seed) for seed in (4, 4, 5))
    assert one == two
    assert other.slope == one.slope
    assert other.lower != one.lower


@pytest.mark.parametrize(
    "errors",
    [
        [ENOUGH],
        [ENOUGH, ENOUGH[1:]],
        [ENOUGH, np.append(ENOUGH, 0.0)],
        [ENOUGH, np.append(ENOUGH, np.inf)],
        [],
    ],
    ids=["one width", "few errors", "zero", "infinite", "nothing"],
)
def test_too_little_has_no_slope(errors):
    assert fit_slope(WIDTHS[: len(errors)], errors, level=LEVEL, seed=0) is None


def test_the_interval_of_the_fewest_errors_nearly_keeps_its_level(monkeypatch):
    """Halves of normal errors, whose mean falls as the power that is fitted.

    A hundred intervals that miss the truth in a tenth of the cases would miss it 25 times or more
    with probability below 2e-5; those of two errors miss it in a third.
    """
    monkeypatch.setattr(slope, "RESAMPLES", 200)
    generator, missed = np.random.default_rng(8), 0
    for seed in range(100):
        errors = [np.abs(generator.normal(size=LEAST_ERRORS)) * width**-0.25 for width in WIDTHS]
        found = fit_slope(WIDTHS, errors, level=LEVEL, seed=seed)
        missed += not found.lower <= -0.25 <= found.upper
    assert missed < 25
