"""Regime cells: every instance lies in one known cell of each axis, and in the right one."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import pytest
import toy_claims as toys
from hypothesis import given

from verification import Instance, gallery
from verification.campaign.linear_strategies import (
    linear_functionals,
    single_functionals,
    trained_functionals,
)
from verification.campaign.regimes import all_cells, cells, described
from verification.campaign.strategies import instances

KNOWN = {schema: set(all_cells(schema)) for schema in ("instance/1", "linear-functional/1")}


def axes(found):
    return [cell.partition(": ")[0] for cell in found]


def cell(instance, axis):
    return next(found for found in cells(instance) if found.startswith(f"{axis}: "))


def chain_of(rows):
    n = len(rows)
    return Instance.from_json(
        toys.document(
            **{
                "chain.transition": rows,
                "chain.inputs": [[str(i)] for i in range(n)],
                "chain.targets": ["0"] * n,
            }
        )
    )


def check(subject):
    found = cells(subject)
    assert set(found) <= KNOWN[subject.schema]
    assert len(set(axes(found))) == len(found)
    assert set(axes(found)) == set(axes(KNOWN[subject.schema]))


@given(instances())
def test_a_random_instance_lies_in_one_cell_of_each_axis(instance):
    check(instance)


@given(linear_functionals() | single_functionals() | trained_functionals())
def test_a_random_functional_lies_in_one_cell_of_each_axis(functional):
    check(functional)


@pytest.mark.parametrize("name", gallery.names())
def test_every_instance_of_the_gallery_lies_in_one_cell_of_each_axis(name):
    check(gallery.load(name))


def test_an_unknown_kind_has_no_cells():
    assert all_cells("another/1") == ()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([["1"]], "one state"),
        ([["1/2", "1/2"], ["1/2", "1/2"]], "reversible"),
        ([["0", "1"], ["1", "0"]], "periodic"),
        ([["1", "0"], ["0", "1"]], "reducible"),
        ([["0.001", "0.999"], ["0.999", "0.001"]], "nearly periodic"),
        ([["0.999", "0.001"], ["0.001", "0.999"]], "nearly reducible"),
        ([["0.2", "0.7", "0.1"], ["0.1", "0.2", "0.7"], ["0.7", "0.1", "0.2"]], "not reversible"),
        ([["0.5", "0.5"], ["0", "1"]], "not reversible"),
    ],
)
def test_kinds_of_chains(rows, expected):
    assert cell(chain_of(rows), "chain") == f"chain: {expected}"


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        ("0", "0"),
        ("0.0000009", "below 1e-6"),
        ("0.000001", "1e-6 to 1e-3"),
        ("0.001", "1e-3 to 0.1"),
        ("0.1", "0.1 to 0.5"),
        ("0.5", "0.5 to 1"),
        ("1", "1"),
    ],
)
def test_gaps(gap, expected):
    stay = str(Fraction(gap) / 2)
    leave = str(1 - Fraction(gap) / 2)
    assert cell(chain_of([[stay, leave], [leave, stay]]), "1 - delta") == f"1 - delta: {expected}"


@pytest.mark.parametrize(
    ("b", "expected"),
    [
        ("0", "0"),
        ("0.009", "below 0.01"),
        ("-0.01", "0.01 to 0.1"),
        ("0.1", "0.1 to 0.5"),
        ("0.5", "0.5 to 0.9"),
        ("-0.9", "0.9 to 0.999"),
        ("0.999", "0.999 to 1"),
        ("1", "1"),
        ("1.001", "above 1"),
    ],
)
def test_strengths_of_the_memory(b, expected):
    document = toys.document(**{"law.B": {"kind": "constant", "value": b}})
    assert cell(Instance.from_json(document), "q") == f"q: {expected}"


@pytest.mark.parametrize(
    ("name", "bump", "delay"),
    [
        ("plateau-from-nothing", "spare unit", "8 or more"),
        ("plateau-equal-rates", "spare unit", "4 to 8"),
        ("plateau-trapped", "no spare unit", "8 or more"),
        ("sharp-plateau", "no spare unit", "1 to 4"),
        ("sharp-plateau-energy", "spare unit", "below 1"),
        ("erlang-four", "none", "none"),
    ],
)
def test_trainings_of_networks(name, bump, delay):
    subject = gallery.load(name)
    assert cell(subject, "bump") == f"bump: {bump}"
    assert cell(subject, "delay") == f"delay: {delay}"


def test_a_training_of_what_is_no_network():
    training = gallery.load("sharp-plateau").training
    for name in ("power-law-one", "erlang-four", "sharp-two-channels"):
        subject = dataclasses.replace(gallery.load(name), training=training)
        assert cell(subject, "bump") == "bump: no network"


def test_a_description_says_chain_activation_and_law():
    assert described(toys.instance()) == "reversible, tanh, constant"
    assert described(gallery.load("erlang-four")) == "exponential"
