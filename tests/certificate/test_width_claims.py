"""Lower bounds of the second kind's certificates by numpy from their documents; and forgeries."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from certificates import CLAIM, LOPSIDED_TARGET, at, lopsided, made, outcome, replaced, sealed

from verification import strict_json
from verification.certificate.check.checking import check_text
from verification.certificate.check.claims.form_claims import largest_trace_norm
from verification.certificate.check.claims.width_claims import laguerre_moments
from verification.certificate.check.linear.kernels import Wave
from verification.certificate.check.linear.rules import Rule, error_bound
from verification.certificate.check.linear.spectra import Form, sum_after
from verification.certificate.check.numbers.balls import ball, bounds, precision
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.reading import Node
from verification.certificate.sign_changes import sign_changes
from verification.certificate.writing import certificate
from verification.subject import read_subject

F = Fraction
COEFFICIENT, RATE = (float(LOPSIDED_TARGET["target"][0][0][k]) for k in ("coefficient", "rate"))


def first_primitive(t):
    """Return that of ``c t exp(-a t)``."""
    decay = np.exp(-RATE * t) if np.isfinite(t) else 0.0
    return -COEFFICIENT * (t / RATE + 1 / RATE**2) * decay if decay else 0.0


def second_primitive(t):
    return COEFFICIENT * (t / RATE**2 + 2 / RATE**3) * np.exp(-RATE * t)


def numbers(values):
    return np.array([float(F(x)) for x in values])


def compression(ends):
    """Return ``int int rho(t + s)`` over pairs of intervals."""
    corner = second_primitive(ends[:, None] + ends)
    return corner[1:, 1:] - corner[:-1, 1:] - corner[1:, :-1] + corner[:-1, :-1]


def overlaps(t, ends):
    common = np.minimum(ends[1:, None], t - ends[:-1]) - np.maximum(ends[:-1, None], t - ends[1:])
    return np.maximum(common, 0)


def largest_norm(ends, scales, norm):
    """Return the largest norm of ``M(t)`` over sums of end points and over points between."""
    knots = np.unique(ends[:, None] + ends)
    points = [*knots, *(knots[1:] + knots[:-1]) / 2]
    return max(
        norm(np.linalg.svd(overlaps(t, ends) * np.outer(scales, scales), compute_uv=False))
        for t in points
    )


def by_laguerre(place, width):
    p, size = float(F(place["scale"])), place["size"]
    # A polynomial times an exponential: Gauss's rule is exact.
    nodes, weights = np.polynomial.laguerre.laggauss(64)
    t, rate = nodes / (RATE + p), RATE + p
    moments = [
        weights @ (COEFFICIENT * t * np.polynomial.laguerre.Laguerre.basis(n)(2 * p * t)) / rate
        for n in range(2 * size)
    ]
    rows = [[moments[i + j] - moments[i + j + 1] for j in range(size)] for i in range(size)]
    return np.linalg.svd(np.array(rows), compute_uv=False)[width]


def by_switching(place, _width):
    ends, points = [*numbers(place["ends"]), np.inf], numbers(place["points"])
    rows = [
        [first_primitive(t + b) - first_primitive(t + a) for a, b in pairwise(ends)] for t in points
    ]
    return 1 / np.abs(np.linalg.inv(np.array(rows))).sum(axis=1).max()


def by_ky_fan(place, width):
    ends, count = numbers(place["ends"]), len(place["values"])
    scales = 1 / np.sqrt(np.diff(ends))
    values = np.linalg.svd(compression(ends) * np.outer(scales, scales), compute_uv=False)
    most = largest_norm(ends, scales, lambda s: s[:count].sum())
    return values[width : width + count].sum() / most


def by_trace(place, width):
    ends, weights = numbers(place["ends"]), numbers(place["weights"])
    scales = weights / np.sqrt(np.diff(ends))
    values = np.linalg.svd(compression(ends) * np.outer(scales, scales), compute_uv=False)
    return values[width:].sum() / largest_norm(ends, scales, np.sum)


def by_form(form, _width):
    shifts, knots = numbers(form["shifts"]), numbers(form["knots"])
    masses = np.array([numbers(row) for row in form["masses"]])
    (heights,) = [np.array([numbers(row) for row in rows]) for rows in form["heights"]]

    def at(t):
        """Return ``phi_a * psi_b`` and its mirror image."""
        steps = [
            heights[:, np.searchsorted(knots, t - s, "right") - 1] if t >= s else 0 * heights[:, 0]
            for s in shifts
        ]
        product = np.array(steps).T @ masses
        return (product + product.T) / 2

    sums = sorted({float(e + s) for e in knots for s in shifts})
    cells = list(pairwise([*sums, np.inf]))
    middles = [(a + min(b, a + 1)) / 2 for a, b in cells]
    matrix = sum(
        (first_primitive(b) - first_primitive(a)) * at(t)
        for (a, b), t in zip(cells, middles, strict=True)
    )
    return np.linalg.eigvalsh(matrix)[0] / max(np.linalg.norm(at(t), 2) for t in middles)


LEFT = {
    "C4": by_laguerre,
    "C4B": by_switching,
    "C4K": by_ky_fan,
    "C4T": by_trace,
    "C4Q": by_form,
}


@pytest.mark.parametrize("claim_id", LEFT)
def test_the_bound_stated_is_what_numpy_finds_from_the_document(claim_id):
    for item in made(claim_id, lopsided(claim_id))["cases"]:
        case = item["case"]
        place = case["form"] if claim_id == "C4Q" else case["places"][0]
        stated = (float(item["left"]["lower"]) + float(item["left"]["upper"])) / 2
        assert LEFT[claim_id](place, case["width"]) == pytest.approx(stated, rel=1e-6)


@pytest.mark.parametrize("claim_id", LEFT)
def test_the_error_stated_is_what_a_quadrature_finds_from_the_document(claim_id):
    for item in made(claim_id, lopsided(claim_id))["cases"]:
        modes = [
            (float(F(mode["rate"])), float(F(mode["cosine"][0])))
            for mode in item["case"]["network"]
        ]
        t = np.linspace(0, 120, 400_001)
        rest = COEFFICIENT * t * np.exp(-RATE * t) - sum(c * np.exp(-r * t) for r, c in modes)
        stated = (float(item["right"]["lower"]) + float(item["right"]["upper"])) / 2
        # The trapezoidal rule beside two kinks, and two digits beyond the four stated.
        assert np.trapezoid(np.abs(rest), t) == pytest.approx(stated, rel=1e-3)


def test_moments_of_a_turning_wave_are_those_of_a_quadrature():
    wave = Wave(F(1, 2), F(3), 2, F(1), F(-2))
    with precision(128), mpmath.workdps(20):
        found = [bounds(x) for x in laguerre_moments((wave,), F(3, 4), 6, Node(None, "scale"))]
        for n, enclosed in enumerate(found):
            truth = mpmath.quad(
                lambda t, n=n: (
                    t**2
                    * (mpmath.cos(3 * t) - 2 * mpmath.sin(3 * t))
                    * mpmath.exp(-1.25 * t)
                    * mpmath.laguerre(n, 0, 1.5 * t)
                ),
                [0, 5, 15, 40],
            )
            assert abs(F(float(truth)) - enclosed.lower) < F(1, 10**12)
            assert enclosed.upper - enclosed.lower < F(1, 10**30)


@pytest.mark.parametrize(
    ("ends", "weights"),
    [
        (["0", "1"], ["2"]),
        (["0", "1", "2", "4", "8"], ["1", "1", "1", "1"]),
        (["0", "0.3", "1", "2.5", "7", "40"], ["3", "0.5", "2", "0.25", "1"]),
        (["0", "1", "10", "20"], ["0.1", "5", "5"]),
    ],
)
def test_the_largest_trace_norm_is_that_of_all_points(ends, weights):
    exact = tuple(map(F, ends)), tuple(map(F, weights))
    scales = numbers(weights) / np.sqrt(np.diff(numbers(ends)))
    with precision(128):
        found = bounds(largest_trace_norm(*exact))
    truth = largest_norm(numbers(ends), scales, np.sum)
    assert float(found.lower) == pytest.approx(truth, rel=1e-12)


def test_the_error_of_a_rule_is_that_of_its_series():
    """By mpmath, with sixty terms and the masses of nodes summed one by one."""
    w, h, first, count = F(1, 2), F(3, 2), F(-12), 11
    with precision(192):
        found = bounds(error_bound(Rule(w, h, first, count), Node(None, "case"), Budget()))
    with mpmath.workdps(40):
        scale = mpmath.gamma(1.5)
        delta = 2 * sum(
            abs(mpmath.gamma(mpmath.mpc(1.5, 2 * mpmath.pi * k / 1.5))) for k in range(1, 60)
        )
        masses = {
            j: mpmath.mpf(0.75)
            * mpmath.exp((-12 + 1.5 * j) / mpmath.mpf(2) - mpmath.exp(-12 + 1.5 * j))
            for j in range(-150, 40)
        }
        dropped = sum(mass for j, mass in masses.items() if not 0 <= j < count)
        truth = (delta + dropped) / scale
    # Bounds of the two ends: geometric series, the upper one a little larger.
    assert truth <= float(found.upper) * (1 + 1e-12)
    assert float(found.upper) <= truth * 1.01


def test_the_pull_stated_is_that_of_a_quadrature():
    a, w, h, r, start, end = (0.8, -0.3), (1.0, 2.5), 0.7, 0.3, 2.5, 3.8

    def pull(factors, rates):
        parts = [
            mpmath.quad(lambda t, v=v, c=c, k=k: c * t**k * mpmath.exp(-v * t), [start, end])
            for factor, v in zip(factors, rates, strict=True)
            for k, c in ((0, 1), (1, factor))
        ]
        return float(2 * h * mpmath.sqrt(sum(x * x for x in parts)))

    largest = pull([abs(x) + r for x in a], [x - r for x in w])
    for item in made("C7G", lopsided("C7G"))["cases"]:
        offset = numbers(item["case"]["offset"])
        left = pull(np.array(a) + offset[:2], np.array(w) + offset[2:])
        assert float(item["left"]["lower"]) == pytest.approx(left, rel=1e-9)
        assert float(item["right"]["lower"]) == pytest.approx(largest, rel=1e-9)


# Forgeries: what would make a false statement, under a new digest.

CASE = ("cases", 0, "case")
PLACE = (*CASE, "places", 0)


def of(claim_id):
    return made(claim_id, lopsided(claim_id))


def with_factor(document, path, factor):
    value = document
    for key in path:
        value = value[key]
    return replaced(document, path, f"{float(F(value)) * factor:.17f}")


def restated(document, side, factor):
    """State a side differently by a factor, to as many digits."""
    bounds_of = document["cases"][0][side]
    middle = (F(bounds_of["lower"]) + F(bounds_of["upper"])) / 2 * F(factor)
    unit = (F(bounds_of["upper"]) - F(bounds_of["lower"])) / 2
    scaled = round(middle / unit)
    digits = len(bounds_of["lower"].partition(".")[2])
    texts = [f"{float((scaled + k) * unit):.{digits}f}" for k in (-1, 1)]
    return replaced(document, ("cases", 0, side), dict(zip(("lower", "upper"), texts, strict=True)))


def at_another_point(offset):
    """State what the pull is at a point, in or outside of the ball, to ten digits."""
    document = of("C7G")
    a, w = np.array((0.8, -0.3)) + offset[:2], np.array((1.0, 2.5)) + offset[2:]
    ends = np.array((2.5, 3.8))
    first = np.diff(-np.exp(-np.outer(w, ends)) / w[:, None])[:, 0]
    second = np.diff(-(ends / w[:, None] + 1 / w[:, None] ** 2) * np.exp(-np.outer(w, ends)))[:, 0]
    pull = 2 * 0.7 * np.sqrt((first**2 + (a * second) ** 2).sum())
    middle = round(pull * 10**10)
    moved = replaced(document, (*CASE, "offset"), [f"{x:.3f}" if x else "0" for x in offset])
    changed = replaced(
        moved,
        ("cases", 0, "left"),
        {"lower": f"{(middle - 1) / 10**10:.10f}", "upper": f"{(middle + 1) / 10**10:.10f}"},
    )
    return sealed(changed | {"cases": changed["cases"][:1]})


def test_a_point_must_lie_in_the_ball_even_where_its_pull_is_stated_rightly():
    assert outcome(at_another_point(np.array((0.299, 0, 0, 0)))) == "VALID"
    with pytest.raises(Invalid, match="lies outside of the ball"):
        check_text(json.dumps(at_another_point(np.array((0.301, 0, 0, 0)))))


def restated_count(document, more):
    """State that another number of nodes is enough."""
    count = document["cases"][0]["case"]["count"] + more
    changed = replaced(document, (*CASE, "count"), count)
    return replaced(
        changed, ("cases", 0, "left"), {"lower": f"{count - 1}.99", "upper": f"{count}.01"}
    )


def of_half():
    """Return a certificate whose first case has a place with vectors."""
    document = made("C5L", "power-law-half")
    return document | {
        "cases": [item for item in document["cases"] if "vectors" in item["case"]["place"]][:1]
    }


VECTORS = (*CASE, "place", "vectors")

FORGERIES = {
    "a larger bound than the singular value": lambda: restated(of("C4"), "left", "1.01"),
    "a smaller error than the network's": lambda: restated(of("C4"), "right", "0.9"),
    "a larger width than the bound's": lambda: replaced(of("C4"), (*CASE, "width"), 2),
    "a network too wide": lambda: replaced(
        of("C4"), (*CASE, "network"), of("C4")["cases"][0]["case"]["network"] * 2
    ),
    "a rate below 0": lambda: replaced(of("C4"), (*CASE, "network", 0, "rate"), "-0.1"),
    "no changes of sign": lambda: replaced(of("C4"), (*CASE, "changes", 0), []),
    "a change of sign twice": lambda: replaced(
        of("C4"), (*CASE, "changes", 0), of("C4")["cases"][0]["case"]["changes"][0][:1] * 2
    ),
    "intervals that overlap": lambda: replaced(of("C4B"), (*PLACE, "ends"), ["1", "0"]),
    "points below 0": lambda: replaced(of("C4B"), (*PLACE, "points"), ["-1", "0"]),
    "end points that do not double": lambda: replaced(
        of("C4T"),
        (*PLACE, "ends"),
        [str(k) for k in range(len(of("C4T")["cases"][0]["case"]["places"][0]["ends"]))],
    ),
    "the largest norm is left out": lambda: replaced(
        of("C4K"), (*PLACE, "largest"), of("C4K")["cases"][0]["case"]["places"][0]["largest"][:1]
    ),
    "a norm at no sum of end points": lambda: with_factor(
        of("C4K"), (*PLACE, "largest", 0, "at"), 1.001
    ),
    "smaller masses": lambda: with_factor(of("C4Q"), (*CASE, "form", "masses", 0, 0), 0.9),
    "a larger height": lambda: with_factor(of("C4Q"), (*CASE, "form", "heights", 0, 0, 3), 1.5),
    "shifts below 0": lambda: replaced(
        of("C4Q"),
        (*CASE, "form", "shifts"),
        ["-1", of("C4Q")["cases"][0]["case"]["form"]["shifts"][1]],
    ),
    "a slower forgetting than stated": lambda: with_factor(of("C6"), (*CASE, "rate"), 1.001),
    "a lower height": lambda: with_factor(of("C6"), (*CASE, "height"), 0.999),
    "an input above 1": lambda: replaced(of("C1S"), (*CASE, "input", "starts", 0), ["1.0001"]),
    "a basis that is none": lambda: replaced(
        of("C1"), ("witness", "basis"), [["1", "1"], ["1", "1"]]
    ),
    "a basis that shows nothing": lambda: replaced(
        of("C1"), ("witness", "basis"), [["1", "0"], ["0", "1000"]]
    ),
    "a network that is not stable": lambda: replaced(
        of("C1"), ("instance", "network", "W", 0, 0), "1"
    ),
    "an error smaller than reached": lambda: with_factor(of("C5L"), (*CASE, "error"), 0.5),
    "rates twice": lambda: replaced(
        of("C5L"), (*CASE, "rates"), of("C5L")["cases"][0]["case"]["rates"][:1] * 13
    ),
    "a coefficient below 0": lambda: replaced(of("C5L"), (*CASE, "coefficients", 0), "-0.01"),
    "too few vectors": lambda: replaced(
        of_half(), (*VECTORS,), at(of_half(), VECTORS)[: len(at(of_half(), VECTORS)) - 2]
    ),
    "a vector twice": lambda: replaced(
        of_half(), VECTORS, [at(of_half(), VECTORS)[0], *at(of_half(), VECTORS)]
    ),
    "a larger width of the place": lambda: replaced(
        of_half(), (*VECTORS[:-1], "width"), at(of_half(), (*VECTORS[:-1], "width")) + 1
    ),
    "two points missing": lambda: replaced(
        of("C5L"), (*CASE, "changes"), of("C5L")["cases"][0]["case"]["changes"][:-2]
    ),
    "a point where nothing changes": lambda: with_factor(of("C5L"), (*CASE, "changes", 4), 1.01),
    "a point outside of the ball": lambda: with_factor(of("C7G"), (*CASE, "offset", 0), 1.5),
    "a delay of no training": lambda: with_factor(of("C7G"), (*CASE, "delay"), 0.9),
    "a ball as large as a rate": lambda: replaced(
        of("C7G"), ("instance", "training", "radius"), "1"
    ),
    "a node less": lambda: restated_count(of("C5W"), -1),
    "too long a step": lambda: with_factor(of("C5W"), (*CASE, "step"), 1.1),
    "another target": lambda: replaced(
        of("C5L"),
        ("instance", "target", 0),
        [{"kind": "exponential", "coefficient": "1", "rate": "1"}],
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_found_out(name):
    document = FORGERIES[name]()
    assert outcome(sealed(document)) in {"INVALID", "REFUSED"}


HARMFUL = {
    "a huge W": (of("C1"), ("instance", "network", "W", 0, 0), "-1" + "0" * 3000),
    "a tiny W": (of("C1"), ("instance", "network", "W", 0, 0), "-0." + "0" * 3000 + "1"),
    "a huge rate": (of("C4"), (*CASE, "network", 0, "rate"), "1" + "0" * 3000),
    "a tiny rate": (of("C4"), (*CASE, "network", 0, "rate"), "0." + "0" * 3000 + "1"),
    "a huge time": (of("C6"), (*CASE, "ends"), ["0", "1" + "0" * 3000]),
    "a far change": (of("C4"), (*CASE, "changes", 0, 1), "1" + "0" * 3000),
    "a huge scale": (of("C4"), (*PLACE, "scale"), "1" + "0" * 3000),
    "wide intervals": (of("C4B"), (*PLACE, "ends"), ["0", "1" + "0" * 3000]),
    "a late knot": (
        of("C1S"),
        (*CASE, "input"),
        {"knots": ["0", "1" + "0" * 3000], "starts": [["1"]], "ends": [["1"]]},
    ),
    "many knots": (
        of("C1S"),
        (*CASE, "input"),
        {
            "knots": [str(k) for k in range(4001)],
            "starts": [["1"]] * 4000,
            "ends": [["1"]] * 4000,
        },
    ),
    "a huge target": (
        of("C4"),
        ("instance", "target", 0),
        [{"kind": "exponential", "coefficient": "1" + "0" * 3000, "rate": "1", "power": 32}] * 64,
    ),
    "a far airy function": (
        of("C4B"),
        ("instance", "target", 0),
        [
            {
                "kind": "airy",
                "coefficient": "1",
                "scale": "0." + "0" * 40 + "1",
                "shift": "1" + "0" * 42,
            }
        ],
    ),
    "many masses": (
        of("C4Q"),
        (*CASE, "form"),
        of("C4Q")["cases"][0]["case"]["form"]
        | {
            "shifts": [str(k) for k in range(64)],
            "masses": [["1", "1"]] * 64,
            "knots": [f"{k}.{k:03}" for k in range(256)],
            "heights": [[["1"] * 256] * 2],
        },
    ),
    "many intervals": (
        of("C4K"),
        (*PLACE, "ends"),
        [f"{k}.{k:03}" for k in range(65)],
    ),
    "a huge delay": (of("C7G"), ("instance", "training", "delays", 0), "1" + "0" * 3000),
    "far nodes": (of("C5W"), (*CASE, "first"), "-9000"),
    "high nodes": (of("C5W"), (*CASE, "first"), "9000"),
    "a tiny step": (of("C5W"), (*CASE, "step"), "0." + "0" * 3000 + "1"),
    "a huge exponent": (of("C5L"), ("instance", "target", 0, 0, "exponent"), "1" + "0" * 3000),
}


@pytest.mark.parametrize("name", HARMFUL)
def test_a_file_made_to_do_harm_ends_soon(name):
    document, path, value = HARMFUL[name]
    assert outcome(sealed(replaced(document, path, value))) in {"INVALID", "REFUSED"}


def test_a_bound_that_doubles_do_not_know_is_said_to_be_small():
    """Of a bump the trace bound at some width is 0 but for roundings: no digit of it is stated."""
    (small,) = [
        item["left"] for item in made("C4T", "gaussian-bump")["cases"] if item["case"]["width"] == 4
    ]
    assert small["lower"] == "0"
    assert float(small["upper"]) < 1e-12


def test_a_function_that_vanishes_to_a_high_order_is_of_one_sign():
    """Beside 0 no interval shows that ``t^20`` is positive: nothing is there to be shown."""
    with precision(192):
        assert sign_changes((Wave(F(4), F(0), 20, F(1), F(0)),), 20) == []


@pytest.mark.parametrize("kind", ["singular", "rounded", "any", "few", "one twice"])
def test_a_sum_of_singular_values_is_bounded_by_vectors(kind):
    """By singular vectors nearly from itself, by others too; no vectors make it larger."""
    generator = np.random.default_rng(5)
    square = generator.normal(size=(9, 9))
    rows, weights = square + square.T, generator.uniform(0.5, 3, 9)
    scaled = rows / np.sqrt(np.outer(weights, weights))
    values, vectors = np.linalg.eigh(scaled)
    vectors = vectors.T[np.argsort(-np.abs(values))]
    truth = np.sort(np.abs(values))[:-2].sum()
    if kind == "any":
        vectors = generator.normal(size=(9, 9))
    if kind == "few":
        vectors, truth = vectors[:6], np.sort(np.abs(values))[3:-2].sum()
    if kind == "one twice":
        vectors = np.concatenate([vectors[:1], vectors])
    if kind == "rounded":
        vectors = np.round(vectors, 4)
    exact = [[F(float(x)) for x in row] for row in rows]
    with precision(128):
        form = Form([[ball(x) for x in row] for row in exact], [F(float(x)) for x in weights])
        texts = [tuple(F(float(x)) for x in vector) for vector in vectors]
        found = float(sum_after(form, 2, texts, Budget()))
    assert found <= truth * (1 + 1e-12)
    if kind in {"singular", "few", "rounded"}:
        assert found >= truth * (1 - (1e-2 if kind == "rounded" else 1e-12))


def test_vectors_that_are_zero_show_nothing():
    form = Form([[ball(1), ball(0)], [ball(0), ball(1)]], [F(1), F(1)])
    with pytest.raises(Invalid, match="all zero"):
        sum_after(form, 1, [(F(0), F(0)), (F(0), F(0))], Budget())


def test_a_place_of_vectors_is_taken_as_it_is():
    assert outcome(sealed(of_half())) == "VALID"


def test_a_width_beyond_the_table_is_shown_by_a_rule():
    law = {"kind": "power-law", "coefficient": "-2.5", "exponent": "0.03"}
    written = {"schema": "linear-functional/1", "name": "longer", "widths": [1], "target": [[law]]}
    instance = read_subject(strict_json.loads(json.dumps(written)))
    document = certificate(CLAIM["C5L"], instance)
    assert outcome(document) == "VALID"
    (k,) = [k for k, item in enumerate(document["cases"]) if "step" in item["case"]]
    for key, value in (("count", 1), ("step", "8"), ("error", "0.001")):
        altered = replaced(document, ("cases", k, "case", key), value)
        assert outcome(sealed(altered)) in {"INVALID", "REFUSED"}
