"""Coarse trapezoidal rules as the checker sums them, and matrices near the kernel."""

from __future__ import annotations

import json
from fractions import Fraction
from types import SimpleNamespace

import mpmath
import pytest
from certificates import made, outcome, sealed

from verification.certificate.check.checking import check_text
from verification.certificate.check.instances import Law, Spread, Term
from verification.certificate.check.linear.spectra import Form, require_least_eigenvalue
from verification.certificate.check.numbers.balls import ball, bounds, precision
from verification.certificate.check.numbers.bounds import Bounds
from verification.certificate.check.outcome import Budget, Invalid, Refused
from verification.certificate.check.reading import parse
from verification.certificate.check.recurrent.coarse_rules import CoarseRule

F = Fraction
LAW = Law(
    Spread("uniform", (F(-1),), (F(2),)),
    Spread("normal", (F(1, 2), F(-1, 4)), (F(3, 4),)),
    Spread("constant", (F(1),), ()),
    (),
)
INSTANCE = SimpleNamespace(law=LAW, activation=(Term(F(1), F(1), F(0), "tanh"),))
FIRST = (F(1), F(1, 2)), F(1, 3)
SECOND = (F(-1), F(1)), F(-1, 5)
PARALLEL = (F(-2), F(-1)), F(1, 4)


def exact(x):
    return mpmath.mpf(x.numerator) / x.denominator


def summed(first, second, step):
    """Return the rule's sum, and the integral, by the definition in two variables."""
    x, y = ([exact(z) for z in point] for point, _ in (first, second))
    mean, deviation = [exact(z) for z in LAW.w.first], exact(LAW.w.second[0])
    lever = mpmath.fdot(x, y)  # E[C^2] = 1
    size = mpmath.sqrt(mpmath.fdot(x, x))
    a, b = deviation * size, deviation * lever / size
    c = mpmath.sqrt(max(deviation**2 * mpmath.fdot(y, y) - b**2, 0))
    u0 = mpmath.fdot(mean, x) + exact(first[1])
    t0 = mpmath.fdot(mean, y) + exact(second[1])

    def value(z, w):
        u, t = u0 + a * z, t0 + b * z + c * w
        return mpmath.tanh(u) * mpmath.tanh(t) + lever * (mpmath.sech(u) ** 2 * mpmath.sech(t) ** 2)

    def rule(h):
        nodes = [h * k for k in range(-int(11 / h) - 1, int(11 / h) + 2)]
        weights = [h * mpmath.npdf(z) for z in nodes]
        if c < mpmath.mpf(10) ** -12:
            return sum(p * value(z, 0) for z, p in zip(nodes, weights, strict=True))
        return sum(
            p * q * value(z, w)
            for z, p in zip(nodes, weights, strict=True)
            for w, q in zip(nodes, weights, strict=True)
        )

    return rule(exact(step)), rule(mpmath.mpf(1) / 8)


@pytest.mark.parametrize("second", [SECOND, PARALLEL])
@pytest.mark.parametrize("step", [F(2), F(5, 4)])
def test_a_coarse_rule_is_summed_and_errs_by_less_than_its_bound(second, step):
    rule = CoarseRule(INSTANCE, FIRST, second, step, Budget())
    with mpmath.workdps(25), precision(80):
        coarse, integral = summed(FIRST, second, step)
        found = bounds(rule.value())
        assert abs(exact(found.lower) - coarse) < mpmath.mpf(10) ** -18
        assert abs(exact(found.upper) - coarse) < mpmath.mpf(10) ** -18
        errors = [exact(bounds(rule.error(F(k, 8))).lower) for k in (1, 2, 4, 6)]
        assert abs(coarse - integral) < min(errors)
        assert min(errors) < 10**4 * abs(coarse - integral)


def test_a_rule_of_another_law_or_of_no_input_is_invalid():
    other = SimpleNamespace(law=Law(LAW.c, LAW.c, LAW.b, ()), activation=INSTANCE.activation)
    with pytest.raises(Invalid, match="normal W"):
        CoarseRule(other, FIRST, SECOND, F(1), Budget())
    nothing = (F(0), F(0)), F(1)
    with pytest.raises(Invalid, match="other than 0"):
        CoarseRule(INSTANCE, nothing, SECOND, F(1), Budget())


def test_a_matrix_that_is_not_near_the_kernel_is_invalid():
    document = made("K2", "markov-onegin")
    case = document["cases"][0]["case"]
    case["matrix"]["numerators"][0] = str(2 * int(case["matrix"]["numerators"][0]))
    assert outcome(sealed(document)) == "INVALID"


@pytest.mark.parametrize("name", ["two-dimensional", "sharp-stability"])
def test_matrices_of_many_nodes_and_of_low_rank_are_checked(name):
    """W in two directions; eigenvalues that are 0 but for the rounding of a matrix of rank 2."""
    document = made("K2", name)
    assert outcome(document) == "VALID"
    for item in document["cases"]:
        low, high = (Fraction(item["case"]["eigenvalue"][end]) for end in ("lower", "upper"))
        assert low < high < low + max(abs(low), abs(high)) / 10**9


@pytest.mark.parametrize("case", range(4))
def test_a_stated_error_that_is_too_small_is_invalid(case):
    document = made("K2", "markov-onegin")
    written = document["cases"][case]["case"]
    written["error"] = str(Fraction(written["error"]) / 2)
    with pytest.raises(Invalid, match="not shown to be near K"):
        check_text(json.dumps(sealed(document)))


@pytest.mark.parametrize("case", range(4))
@pytest.mark.parametrize("factors", [(F(2), F(3, 2)), (F(2, 3), F(1, 2))])
def test_an_eigenvalue_that_is_claimed_elsewhere_is_invalid(case, factors):
    document = made("K2", "markov-onegin")
    bracket = document["cases"][case]["case"]["eigenvalue"]
    # Negative: the larger factor gives the lower end, and both ends lie on one side of it.
    least = Fraction(bracket["lower"])
    assert least < 0
    bracket["lower"], bracket["upper"] = (str(least * factor) for factor in factors)
    with pytest.raises(Invalid, match="not shown that the least eigenvalue is there"):
        check_text(json.dumps(sealed(document)))


def test_bounds_of_an_eigenvalue_in_the_wrong_order_are_refused():
    document = made("K2", "markov-onegin")
    bracket = document["cases"][0]["case"]["eigenvalue"]
    bracket["lower"], bracket["upper"] = bracket["upper"], bracket["lower"]
    with pytest.raises(Refused, match="lower <= upper"):
        check_text(json.dumps(sealed(document)))


@pytest.mark.parametrize("shift", [F(0), F(-1), F(7, 3)])
def test_a_least_eigenvalue_is_shown_within_narrow_bounds_only(shift):
    # 2 on the diagonal and -1 beside it: 2 - 2 cos(pi / (n + 1)) is the least eigenvalue.
    size, width, node = 5, F(1, 10**20), parse("{}")
    with mpmath.workdps(40), precision(128):
        beside = {0: 2 + shift, 1: F(-1)}
        rows = [[ball(beside.get(abs(i - j), F(0))) for j in range(size)] for i in range(size)]
        form = Form(rows, [F(1)] * size)
        least = shift + F(mpmath.nstr(2 - 2 * mpmath.cos(mpmath.pi / (size + 1)), 36))
        require_least_eigenvalue(form, Bounds(least - width, least + width), node, Budget())
        for elsewhere in (least - 2 * width, least + 2 * width):
            claimed = Bounds(elsewhere - width / 2, elsewhere + width / 2)
            with pytest.raises(Invalid, match="not shown"):
                require_least_eigenvalue(form, claimed, node, Budget())


@pytest.mark.parametrize("claim_id", ["K1", "K3", "K4"])
def test_a_pair_of_points_is_one_case_in_one_order(claim_id):
    """K knows no order: with one, a case could be counted twice."""
    document = made(claim_id, "markov-onegin")
    case = next(
        case
        for case in document["cases"]
        if case["case"]["first"] != case["case"]["second"] and case["case"].get("of") != "rule"
    )
    turned = case["case"] | {"first": case["case"]["second"], "second": case["case"]["first"]}
    altered = document | {"cases": [case | {"case": turned}]}
    with pytest.raises(Refused, match="in the order of their inputs and memories"):
        check_text(json.dumps(sealed(altered)))


def test_points_of_a_matrix_are_in_order():
    document = json.loads(json.dumps(made("K2", "markov-onegin")))
    document["cases"][0]["case"]["points"].reverse()
    with pytest.raises(Refused, match="in the order of their inputs and memories"):
        check_text(json.dumps(sealed(document)))


def test_an_error_that_every_entry_has_says_nothing():
    document = made("K3", "markov-onegin")
    case = next(case for case in document["cases"] if case["case"]["of"] == "entry")
    wide = case["case"] | {"error": "9"}
    altered = document | {
        "cases": [case | {"case": wide, "right": {"lower": "8.99", "upper": "9.01"}}]
    }
    with pytest.raises(Invalid, match="no smaller than both numbers"):
        check_text(json.dumps(sealed(altered)))


def test_without_a_backward_part_k1_says_nothing():
    document = json.loads(json.dumps(made("K1", "markov-onegin")))
    document["instance"]["law"]["C"] = {"kind": "constant", "value": "0"}
    with pytest.raises(Invalid, match=r"only E\[sigma sigma\] is left"):
        check_text(json.dumps(sealed(document)))


def test_a_strip_with_which_a_rule_is_bounded_by_nothing_says_nothing():
    document = made("K3", "markov-onegin")
    case = next(case for case in document["cases"] if case["case"]["of"] == "rule")
    altered = document | {"cases": [case | {"case": case["case"] | {"width": "1/100"}}]}
    with pytest.raises(Invalid, match="no smaller than both numbers"):
        check_text(json.dumps(sealed(altered)))
