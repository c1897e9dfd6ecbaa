"""C1, C1S and C6: verdicts, sharpness, and sides against second computations."""

from __future__ import annotations

import dataclasses
import random
from fractions import Fraction

import numpy as np
import pytest

from theorems import linear_networks as theorem
from theorems.linear_networks import C1, C1S, C6
from verification import gallery
from verification.decision import decide
from verification.enclosure.balls import end_points, precision
from verification.linear_functional import SCHEMA
from verification.linear_rnn.estimates import kernel_estimate
from verification.verdict import Verdict

F = Fraction


@pytest.mark.parametrize("claim", [C1, C1S], ids=lambda claim: claim.id)
def test_verdicts_about_networks(claim):
    assert decide(claim, gallery.load("erlang-four")).verdict is Verdict.CERTIFIED
    assert decide(claim, gallery.load("silent-network")).verdict is Verdict.VACUOUS
    unstable = decide(claim, gallery.load("unstable-network"))
    assert unstable.verdict is Verdict.INAPPLICABLE
    assert "real part about 0.5" in unstable.reason
    without = dataclasses.replace(gallery.load("erlang-four"), network=None)
    assert decide(claim, without).verdict is Verdict.INAPPLICABLE


@pytest.mark.parametrize("name", C1S.sharp)
def test_the_norm_is_attained_up_to_what_was_forgotten(name):
    # The longest input lasts 40 to 80 memory times: exp(-40) = 4e-18.
    assert decide(C1S, gallery.load(name)).tightness > 1 - 1e-12


def test_short_pasts_attain_less():
    instance = gallery.load("erlang-four")
    with precision(64):
        sizes = [
            float(sum(end_points(theorem.size_of_output(instance, case))) / 2)
            for case in theorem.following_inputs(instance, random.Random(0))
        ]
    assert sizes == sorted(sizes)
    # P(Erlang(4) <= 1) = 1 - e^-1 (1 + 1 + 1/2 + 1/6)
    assert sizes[0] == pytest.approx(1 - np.exp(-1) * (8 / 3), abs=1e-12)


@pytest.mark.parametrize("name", ["sharp-oscillating-network", "sharp-two-channels"])
def test_the_norm_agrees_with_a_riemann_sum(name):
    instance = gallery.load(name)
    with precision(64):
        found = theorem.kernel_norm(instance, None)
        low, high = end_points(found.lower)[0], end_points(found.upper)[1]
    step = 1e-3
    heights = kernel_estimate(instance.network, list((np.arange(30_000) + 0.5) * step))
    # Midpoints err by step^2/24 times the variation of the slope, about 1e-6 here.
    assert float(low) == pytest.approx(np.abs(heights).sum() * step, abs=1e-5)
    assert high - low < 1e-10


def test_drawn_inputs_stay_within_one_and_differ():
    instance = gallery.load("sharp-two-channels")
    cases = theorem.drawn_inputs(instance, random.Random(1))
    values = [x for case in cases for row in case.signal.starts for x in row]
    assert max(map(abs, values)) <= 1
    assert len(set(values)) > len(values) // 2
    assert all(case.signal.knots[0] == 0 for case in cases)


def test_every_claim_is_about_the_second_kind():
    assert {claim.kind for claim in theorem.CLAIMS} == {SCHEMA}


# The memory barrier


def test_verdicts_about_the_barrier():
    assert decide(C6, gallery.load("power-law-fifth")).verdict is Verdict.CERTIFIED
    assert decide(C6, gallery.load("unstable-network")).verdict is Verdict.INAPPLICABLE
    assert decide(C6, gallery.load("silent-network")).verdict is Verdict.VACUOUS
    # Its network is the target; and where the memory is long enough nothing is bounded.
    assert decide(C6, gallery.load("erlang-four")).verdict is Verdict.VACUOUS
    assert decide(C6, gallery.load("sharp-oscillating-network")).verdict is Verdict.VACUOUS


def test_the_sharp_barrier_is_the_whole_error():
    # int (exp(-t/2) - exp(-t)) dt = 1
    result = decide(C6, gallery.load("sharp-barrier"))
    # The error is enclosed to 2^-16 of itself.
    assert result.tightness > 1 - 2.0**-15
    assert abs(float(result.left.lower) - 1) < 1e-15


def test_constants_of_the_barrier():
    instance = gallery.load("mutant-shear")
    w = np.array(instance.network.w, dtype=float)
    with precision(64):
        amplification = float(sum(end_points(theorem.amplification(instance))) / 2)
        rate = float(end_points(theorem.forgetting(instance).lower)[0])
    assert rate == pytest.approx(1, abs=1e-12)
    # |U| = |c| = 1; two bounds of norms of 2 x 2 matrices lose at most sqrt 2 each.
    conditioning = np.linalg.cond(np.linalg.eig(w)[1])
    assert conditioning * (1 - 1e-12) <= amplification <= 2 * conditioning


def test_the_barrier_agrees_with_quadrature():
    instance = gallery.load("mutant-four-channels")
    with precision(64):
        found = theorem.barrier(instance, theorem.Barrier())
        low, high = end_points(found)
    # |rho| = 2 (exp(-t) + 0.1 exp(-t/4)), |U| |c| = 2: what outlasts is 0.2 exp(-t/4).
    assert low <= F(4, 5) <= high
    assert high - low < F(1, 10**12)


def test_the_barrier_is_at_most_the_integral_and_near_it():
    instance = gallery.load("damped-wave")
    with precision(64):
        low, high = end_points(theorem.barrier(instance, theorem.Barrier()))
        height = float(sum(end_points(theorem.amplification(instance))) / 2)
        rate = float(end_points(theorem.forgetting(instance).lower)[0])
    t = (np.arange(400_000) + 0.5) * 2e-4
    rho = np.exp(-t / 2) * np.cos(2 * t) + 0.25 * np.exp(-t / 4)
    truth = np.maximum(np.abs(rho) - height * np.exp(-rate * t), 0).sum() * 2e-4
    assert float(low) <= truth + 1e-6
    # Sixteen intervals an octave are at most 1/4 long up to t = 4, where most of it has passed; an
    # interval in which the wave, of half-period 1.57, changes its sign loses at most its share.
    assert float(high) >= (1 - 0.25 / 1.57) * truth
