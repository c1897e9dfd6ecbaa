"""Certificates of gradient flow: second oracles of the checker's tools; forgeries."""

from __future__ import annotations

import json
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from certificates import CLAIM, at, lopsided, made, outcome, replaced, sealed
from scipy.integrate import solve_ivp

from verification import gallery, strict_json
from verification.certificate import plateau_witnesses
from verification.certificate.check.checking import check_text
from verification.certificate.check.linear.flow_pieces import DEGREE, Followed, Piece, read_pieces
from verification.certificate.check.linear.flows import FLOW_BITS, follow, third_derivatives
from verification.certificate.check.linear.losses import Loss
from verification.certificate.check.linear.traps import Sphere, require_trap
from verification.certificate.check.numbers.balls import ball, bounds, precision, upper
from verification.certificate.check.outcome import Budget, Invalid, Refused
from verification.certificate.check.reading import Node
from verification.certificate.check.targets import Training
from verification.certificate.writing import NotCertified, certificate
from verification.linear_rnn import escape
from verification.subject import read_subject

F = Fraction
START = (F("0.8"), F("-0.3")), (F(1), F("2.5"))
TRAINING = Training(F("0.7"), F("1.3"), (F("2.5"),), None)
POINT = (F("0.9"), F("-0.1"), F("1.2"), F("2.1"))
NOWHERE = Node(None, "a test")
CASE = ("cases", 0, "case")
FLOWS = ["C7", "C7E", "C7L", "C7T"]


def loss_of(*point):
    """Integrate the squared difference from the target, on both sides of the bump's ends."""
    units = [*zip(point[:2], point[2:], strict=True)]
    start = [(-mpmath.mpf(float(a)), float(w)) for a, w in zip(*START, strict=True)]

    def missed(t, height):
        return sum(a * mpmath.exp(-w * t) for a, w in [*units, *start]) - height

    parts = [
        mpmath.quad(lambda t, h=h: missed(t, h) ** 2, ends)
        for ends, h in (([0, 1, 2.5], 0), ([2.5, 3.8], mpmath.mpf("0.7")), ([3.8, 8, 60], 0))
    ]
    return sum(parts)


def narrow_at(value, found):
    """Assert that bounds contain a number that is known to 15 digits, and are narrow."""
    known = bounds(found)
    assert float(known.lower) == pytest.approx(float(value), rel=1e-9)
    assert known.upper - known.lower < F(1, 10**30)


@pytest.fixture
def loss():
    with precision(FLOW_BITS):
        yield Loss(*START, TRAINING, F("2.5"))


def test_what_is_gained_is_a_difference_of_integrals(loss):
    with mpmath.workdps(30):
        gained = loss_of(*map(float, (*START[0], *START[1]))) - loss_of(*map(float, POINT))
    narrow_at(gained, loss.gained([ball(x) for x in POINT]))


def test_the_derivatives_are_the_limits_of_differences(loss):
    """Of central ones of a step of ``1e-12``, in what is gained and in the gradient."""
    slope, bends = loss.derivatives([ball(x) for x in POINT])
    step = F(1, 10**12)
    for i in range(4):
        (less, more) = (
            [ball(x + k * step * (j == i)) for j, x in enumerate(POINT)] for k in (-1, 1)
        )
        lost = loss.gained(less) - loss.gained(more)
        narrow_at(upper(lost) / (2 * step), slope[i])
        moved = zip(loss.derivatives(more)[0], loss.derivatives(less)[0], strict=True)
        for j, (after, before) in enumerate(moved):
            narrow_at(upper(after - before) / (2 * step), bends[j][i])


def test_third_derivatives_are_bounded(loss):
    """They are found by differences of second ones, in the directions of the axes and others."""
    limit = upper(third_derivatives(loss, (F(0),) * 4, F("0.01"), NOWHERE))
    start = [*START[0], *START[1]]
    most = 0
    for signs in [(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1), (1, 1, -1, -1)]:
        size = F(sum(x * x for x in signs))
        step = F(1, 10**12)
        values = []
        for k in (-1, 1):
            _, bends = loss.derivatives(
                [ball(x + k * step * y) for x, y in zip(start, signs, strict=True)]
            )
            quadratic = sum(
                float(bounds(bends[i][j]).lower) * signs[i] * signs[j]
                for i in range(4)
                for j in range(4)
            )
            values.append(bounds(ball(F(quadratic))).lower)
        most = max(most, abs(float(values[1] - values[0])) / 2e-12 / float(size) ** 1.5)
    assert most < limit
    assert limit < 1000


def test_the_flow_is_where_another_method_puts_it():
    """By scipy's Radau: the error that is shown is small, and larger than the true one."""
    document = made("C7", "plateau-trapped")
    assert document["cases"][0]["case"]["delay"] == "2"
    with precision(FLOW_BITS):
        loss = Loss((F(1),), (F(1),), Training(F(1), F(1), (F(2),), None), F(2))
        pieces = read_pieces(Node(at(document, (*CASE, "pieces")), "pieces"), 2, Budget())
        last = follow(loss, pieces, Budget())[-1]
        error = float(upper(last.last_error))
    ends = np.array([2.0, 3.0])

    def moved(_, point):
        a, w = point
        bump = np.diff(-np.exp(-w * ends) / w)[0]
        late = np.diff(-np.exp(-w * ends) * (ends / w + 1 / w**2))[0]
        first, second = a / (2 * w) - 1 / (w + 1) - bump, a / (2 * w) ** 2 - 1 / (w + 1) ** 2 - late
        return [-2 * first, 2 * a * second]

    found = solve_ivp(moved, (0, float(last.end)), (1, 1), method="Radau", rtol=1e-12, atol=1e-13)
    apart = np.linalg.norm(found.y[:, -1] - 1 - [float(x) for x in last.piece.at_end()])
    assert apart < error + 1e-10
    assert error < 1e-8


def test_a_polynomial_is_within_what_it_reaches_and_no_less():
    """``p(s) = ((s + 1)^2, 0)``, which is 9/4 in a half and 4 in 1."""
    zero = F(0)
    row = (F("1.5"), F(2), F("0.5"), *(zero,) * (DEGREE - 2))
    piece = Piece(F(2), (row, (zero,) * (DEGREE + 1)), zero, NOWHERE)
    with precision(FLOW_BITS):
        followed = Followed(piece, zero, ball(F(1, 10**9)), ball(0))
        for until, most in ((F(1, 2), F("2.25")), (F(1), F(4))):
            near, far = most - F(1, 10**8), most + F(1, 10**8)
            assert followed.is_within(ball(far), until, Budget())
            assert not followed.is_within(ball(near), until, Budget())
        assert not followed.is_within(ball(F(1, 10**10)), F(1), Budget())


@pytest.mark.parametrize("units", [1, 2])
def test_a_trap_is_shown_up_to_where_the_loss_pulls_as_much_as_that(units):
    """Near the start: against the least eigenvalue of the second derivatives there."""
    coefficients, rates = (F("0.8"), F(-1))[:units], (F("1.1"), F(3))[:units]
    sphere = Sphere(coefficients, rates, F(1, 10**6), Budget())
    powers = [(1.0, float(w), 0) for w in rates]
    powers += [(-float(a), float(w), 1) for a, w in zip(coefficients, rates, strict=True)]
    matrix = mpmath.matrix(
        [
            [2 * x * y * mpmath.factorial(j + k) / (v + w) ** (j + k + 1) for y, w, k in powers]
            for x, v, j in powers
        ]
    )
    least = float(min(mpmath.eigsy(matrix, eigvals_only=True)))
    curvature = None if units == 1 else Node(f"{least * 0.9999:.12f}", "curvature")
    with precision(FLOW_BITS):
        require_trap(sphere, ball(F(least * 0.99)), NOWHERE, curvature)
        with pytest.raises(Invalid, match="pulls inward there"):
            require_trap(sphere, ball(F(least * 1.01)), NOWHERE, curvature)
        if curvature is not None:
            more = Node(f"{least * 1.0001:.12f}", "curvature")
            with pytest.raises(Invalid, match="bounded from below"):
                require_trap(sphere, ball(F(least * 0.5)), NOWHERE, more)


# Forgeries: what would make a false statement, under a new digest.


def of(claim_id):
    return made(claim_id, lopsided(claim_id))


def with_factor(document, path, factor):
    return replaced(document, path, f"{float(F(at(document, path)) * F(factor)):.17f}")


def refusal(document):
    with pytest.raises(Invalid) as found:
        check_text(json.dumps(sealed(document)))
    return str(found.value)


def test_what_is_false_of_a_flow_is_not_shown():
    later = with_factor(of("C7"), (*CASE, "inside"), F(1001, 1000))
    assert "not shown that the flow is in the ball" in refusal(later)
    earlier = with_factor(of("C7E"), (*CASE, "outside"), F(999, 1000))
    assert "not shown that the flow is outside" in refusal(earlier)
    smaller = with_factor(of("C7T"), (*CASE, "radius"), F(1, 2))
    assert "pulls inward there" in refusal(smaller)
    nearer = with_factor(of("C7T"), (*CASE, "within"), F(999, 1000))
    assert "stays so near" in refusal(nearer)
    calmer = with_factor(of("C7T"), (*CASE, "rest"), F(1, 1000))
    assert "not shown that the flow stays there" in refusal(calmer)
    stiffer = with_factor(of("C7T"), (*CASE, "stiffness"), F(2))
    assert "bounded from below" in refusal(stiffer)


@pytest.mark.parametrize("claim_id", [*FLOWS, "C7G"])
def test_without_a_bump_there_is_no_certificate(claim_id):
    none = replaced(of(claim_id), ("instance", "training", "bump", "height"), "0")
    assert "the bump is not zero" in refusal(none)


@pytest.mark.parametrize("claim_id", FLOWS)
def test_a_piece_that_is_no_flow_is_found_out(claim_id):
    first = (*CASE, "pieces", 0)
    moved = replaced(of(claim_id), (*first, "offsets", 0, 1), "0.01")
    assert "piece" in refusal(moved)
    slower = replaced(of(claim_id), (*first, "growth"), "-0.9")
    assert "bounded from below" in refusal(slower)


@pytest.mark.parametrize("claim_id", ["C7", "C7E", "C7L"])
def test_a_piece_that_is_missing_or_longer_is_found_out(claim_id):
    """A trap forgets where the flow came from: there it would show the same."""
    longer = with_factor(of(claim_id), (*CASE, "pieces", 0, "length"), F(1001, 1000))
    assert "not shown that the flow is in the ball" in refusal(longer)
    document = of(claim_id)
    pieces = at(document, (*CASE, "pieces"))
    assert "piece" in refusal(replaced(document, (*CASE, "pieces"), pieces[1:]))
    assert "piece" in refusal(replaced(document, (*CASE, "pieces"), pieces[:-1]))


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("size",), "0.31", "is more than r"),
        (("weight",), "0.99", "at least L"),
        (("delay",), "2.4", "one of the delays"),
        (("pieces", 0, "offsets", 2, 0), "-1.5", "not positive"),
        (("pieces", 0, "offsets", 2, 1), "0.9", "nearby may not be positive"),
        (("pieces", 0, "length"), "1" + "0" * 300, "near to the flow"),
        (("pieces", 0, "length"), "1" + "0" * 3000, "at most 400 digits"),
        (("pieces", 0, "offsets", 1, 3), "1/" + "3" * 401, "at most 400 digits"),
        (("pieces", 0, "growth"), "1" + "0" * 300, "near to the flow"),
        (("pieces", 0, "growth"), "-1" + "0" * 300, "bounded from below"),
        (("inside",), "1" + "0" * 3000, "after the pieces"),
        (("outside",), "1" + "0" * 3000, "no time of the last piece"),
    ],
)
def test_hostile_numbers_are_refused_in_words(path, value, words):
    document = sealed(replaced(of("C7E"), (*CASE, *path), value))
    with pytest.raises((Invalid, Refused), match=words):
        check_text(json.dumps(document))


def test_where_the_flow_is_followed_for_some_time_only_the_loss_is_certified_until_then(
    monkeypatch,
):
    monkeypatch.setattr(escape, "MAX_STEPS", 7)
    monkeypatch.setattr(plateau_witnesses, "MAX_PIECES", 7)
    document = gallery.load("plateau-trapped").to_json()
    document["training"]["delays"] = ["2.25"]
    subject = read_subject(strict_json.loads(json.dumps(document)))
    with pytest.raises(NotCertified, match="not followed until it leaves the ball"):
        certificate(CLAIM["C7E"], subject)
    assert outcome(certificate(CLAIM["C7L"], subject)) == "VALID"


def test_a_flow_that_is_not_seen_to_settle_is_not_certified(monkeypatch):
    monkeypatch.setattr(plateau_witnesses, "MAX_PIECES", 7)
    with pytest.raises(NotCertified, match="not followed until it has settled"):
        certificate(CLAIM["C7T"], gallery.load("sharp-trap"))


def test_a_trap_far_below_the_numbers_of_its_loss_is_certified():
    document = gallery.load("sharp-trap").to_json()
    document["training"]["delays"] = ["200"]
    subject = read_subject(strict_json.loads(json.dumps(document)))
    written = certificate(CLAIM["C7T"], subject)
    assert outcome(written) == "VALID"
    assert float(written["cases"][0]["right"]["upper"]) < 1e-80
