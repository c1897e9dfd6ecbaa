"""Stationary laws against quantecon's (GTH elimination); skipped where it is not installed.

It is in the `peers` group: numba, which it needs, is large and slow to follow new Pythons.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given

from verification import gallery
from verification.campaign.strategies import chains
from verification.enclosure.balls import ball, end_points
from verification.markov import finite
from verification.markov.large import rounded_chain, stationary_law_enclosure

markov = pytest.importorskip("quantecon.markov", reason="quantecon (group peers) is not installed")


def dense(chain) -> np.ndarray:
    matrix = np.zeros((chain.n_states, chain.n_states))
    for i, row in enumerate(chain.rows):
        for j, p in row:
            matrix[i, j] = p
    return matrix


def gth(chain) -> np.ndarray:
    (law,) = markov.MarkovChain(dense(chain)).stationary_distributions
    return law


def tolerance(chain) -> float:
    # GTH elimination has no subtraction: its entries err by O(n) relative roundings a step, n
    # steps (O'Cinneide 1993).
    return 8 * chain.n_states**2 * 2.0**-53


@given(chain=chains())
def test_exact_laws(chain):
    assume(finite.has_one_recurrent_class(chain))
    exact = np.array([float(p) for p in finite.stationary_law(chain)])
    found = gth(chain)
    assert np.abs(found - exact).max() <= tolerance(chain)
    assert np.all(np.abs(found - exact) <= tolerance(chain) * exact + np.finfo(float).tiny)


@pytest.mark.parametrize("name", ["snakes-and-ladders", "random-dense-50", "seattle-weather"])
def test_gallery_laws(name):
    chain = gallery.load(name).chain
    found = gth(chain)
    middle = [sum(end_points(ball(p)), Fraction(0)) / 2 for p in finite.stationary_law(chain)]
    assert np.abs(found - np.array(middle, dtype=float)).sum() <= tolerance(chain)
    enclosed = stationary_law_enclosure(rounded_chain(chain))
    assert np.abs(found - enclosed.law).sum() <= enclosed.l1_error + tolerance(chain)
