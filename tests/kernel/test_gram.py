"""The kernel's matrix by features and by Mehler's series: one matrix."""

from __future__ import annotations

import numpy as np
import pytest

from verification import gallery
from verification.instance import Instance
from verification.kernel.features import gram_doubles
from verification.kernel.gram import has_long_features, kernel_matrix
from verification.kernel.mehler import mehler_gram


def load(name: str) -> Instance:
    instance = gallery.load(name)
    assert isinstance(instance, Instance)
    return instance


@pytest.mark.parametrize(
    ("name", "long"),
    [
        ("markov-onegin", False),
        ("two-dimensional", True),
        ("seattle-weather", True),
        ("two-dimensional-uniform", False),
        ("dependent-b-on-w", False),
    ],
)
def test_mehlers_series_is_taken_for_normal_weights_in_many_dimensions(name, long):
    assert has_long_features(load(name)) is long


@pytest.mark.parametrize("name", ["markov-onegin", "two-dimensional"])
def test_both_ways_give_one_matrix(name):
    instance = load(name)
    rng = np.random.default_rng(4)
    inputs = rng.uniform(-1, 1, (12, instance.chain.dimension))
    memory = rng.uniform(-1, 1, 12)
    one, error = gram_doubles(instance, inputs, memory)
    two, other_error = mehler_gram(instance, inputs, memory)
    assert np.abs(one - two).max() <= error + other_error
    chosen, chosen_error = kernel_matrix(instance, inputs, memory)
    assert chosen_error in (error, other_error)
    assert np.abs(chosen - one).max() <= chosen_error + error
