"""What is certified is found valid by the checker, which shares nothing with what certified it."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from certificates import (
    CLAIM,
    OF_ATOMS,
    OF_EXPLICIT_BOUNDS,
    OF_LARGEST_SUMS,
    OF_LAWS,
    OF_NO_KERNELS,
    OF_TRAININGS,
    is_of_second_kind,
    made,
)

from verification import gallery
from verification.certificate.check.checking import MADE_BY, check_text
from verification.certificate.check.formulas import FORMULAS
from verification.certificate.check.outcome import Invalid
from verification.certificate.check.rendering import check_and_render
from verification.certificate.witnesses import WITNESSES
from verification.certificate.writing import NotCertified, certificate, to_bytes
from verification.decision import decide
from verification.enclosure.balls import Between, ball
from verification.verdict import Verdict

ROOT = Path(__file__).parents[2]
NAMES = ("markov-onegin", "absorbing", "near-reducible", "erf-uniform", "sharp-forgetting")
OF_TARGETS = ("sharp-two-channels", "mutant-shear", "near-box", "gaussian-bump", "power-law-fifth")
"""Two channels; a network with shear; jumps; a bump; a long memory."""
SMALL = ("fair-coin", "near-periodic", "absorbing", "sharp-forgetting", "sharp-ladder")
"""Chains with few sums, one of them a cycle."""
FEW_ATOMS = ("dependent-b-on-w", "sharp-finite-memory", "rain-tel-aviv", "markov-onegin")
CONVERGING = (
    *("constant-weights", "hidden-state", "markov-onegin", "mutant-kernel-slope", "mutant-m-step"),
    *("near-reducible", "one-state", "rain-tel-aviv", "sharp-convergence", "sharp-fixed-point"),
    *("sharp-kernel", "sharp-small-steps", "sharp-stability", "sharp-trapezoid", "absorbing"),
)
"""All on which the explicit bound's decay is certified, and one on which it is not."""
NO_KERNELS = ("damped-reciprocal", "power-law-half", "power-law-one", "near-box")
SMOOTH = ("sharp-two-channels", "sharp-barrier", "sharp-switching", "near-box")
POWER_LAWS = ("power-law-one", "power-law-half", "power-law-fifth")
PLATEAUS = ("plateau-spare-unit", "plateau-trapped", "sharp-plateau")
FLOWS = ("plateau-opposite-units", "plateau-trapped", "sharp-plateau")
TRAPS = ("plateau-trapped", "plateau-two-trapped", "sharp-trap")


def instances_for(claim_id):
    if claim_id in OF_LARGEST_SUMS:
        return SMALL
    if claim_id in OF_ATOMS:
        return FEW_ATOMS
    if claim_id in OF_EXPLICIT_BOUNDS:
        return CONVERGING
    if claim_id in OF_LAWS:
        return POWER_LAWS
    if claim_id in OF_NO_KERNELS:
        return NO_KERNELS
    if claim_id == "C2":
        return SMOOTH
    if claim_id == "C7T":
        return TRAPS
    if claim_id in OF_TRAININGS:
        return PLATEAUS if claim_id == "C7G" else FLOWS
    return OF_TARGETS if is_of_second_kind(claim_id) else NAMES


IN_TWO_DIRECTIONS = ("M1", "M2", "M3", "M4", "M5", "E1", "E2", "E3", "O1", "O3")
"""Claims on an instance whose W is uniform on a rectangle, by a rule of the checker's own."""
TRIPS = [(claim_id, name) for claim_id in FORMULAS for name in instances_for(claim_id)]
TRIPS += [(claim_id, "two-dimensional-uniform") for claim_id in IN_TWO_DIRECTIONS]
JOINT = ("two-state-sticky", "sharp-fixed-point", "mutant-signed-b", "seattle-weather")
"""A memory that fades slowly; one that no input moves; one that they hardly do; many states."""
TRIPS += [("P7", name) for name in JOINT]


def usual(claim_id):
    """Return the name of an instance on which a claim is certified."""
    if claim_id in OF_LARGEST_SUMS:
        return "fair-coin"
    if claim_id in OF_ATOMS:
        return "dependent-b-on-w"
    if not is_of_second_kind(claim_id):
        return "markov-onegin"
    if claim_id in OF_LAWS:
        return "power-law-one"
    if claim_id in OF_NO_KERNELS:
        return "damped-reciprocal"
    if claim_id in OF_TRAININGS:
        return {"C7G": "plateau-spare-unit", "C7T": "sharp-trap"}.get(claim_id, "plateau-trapped")
    return "mutant-shear" if claim_id == "C6" else "sharp-two-channels"


STATED_ROUGHLY = {"C6", "C4", "C4B", "C4K", "C4Q", "C4T"}
"""Their right sides, distances from a target, are stated to four digits."""
KNOWN_ROUGHLY = {"P7", "C2", "C3", "C5", "C7L", "C7T"}
"""Their left sides, such distances, are stated as the checker finds them, to more digits."""
SLIGHTLY = Fraction(1_000_001, 1_000_000)
COARSELY = {"E2": Fraction(11, 10), "E3": Fraction(11, 10)}
"""What is enclosed on a grid of memories is known to a few digits only."""
LEFT_COARSELY = {"P3": Fraction(6, 5), "P6M": Fraction(6, 5)}
"""So is the mean square of the largest sum."""


def test_what_can_be_certified_is_what_can_be_checked_and_what_the_readme_says():
    assert WITNESSES.keys() == FORMULAS.keys()
    assert FORMULAS.keys() <= CLAIM.keys()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (said,) = re.findall(r"Certificates exist for ([^.]*)\.", readme)
    assert re.split(r",\s+|\s+and\s+", said) == list(FORMULAS)


@pytest.mark.parametrize(("claim_id", "name"), TRIPS)
def test_what_is_certified_is_valid(claim_id, name):
    result = decide(CLAIM[claim_id], gallery.load(name))
    if result.verdict is not Verdict.CERTIFIED:
        with pytest.raises(NotCertified, match=str(result.verdict)):
            certificate(CLAIM[claim_id], gallery.load(name))
    else:
        found = check_text(json.dumps(made(claim_id, name)))
        assert (found.claim, found.instance) == (claim_id, name)
        # Two cases of one content are one.
        assert 0 < len(found.cases) <= result.cases["CERTIFIED"]


@pytest.mark.parametrize("claim_id", FORMULAS)
def test_most_of_these_are_certified(claim_id):
    names = [name for claim, name in TRIPS if claim == claim_id]
    verdicts = [decide(CLAIM[claim_id], gallery.load(name)).verdict for name in names]
    assert verdicts.count(Verdict.CERTIFIED) >= 3


def _scaled(side, factor):
    def scaled(instance, case):
        value = side(instance, case)
        if isinstance(value, Fraction):
            return value * factor
        if isinstance(value, Between):
            return value.map(lambda x: x * ball(factor))
        return value * ball(factor)

    return scaled


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("claim_id", FORMULAS)
def test_a_solver_that_is_off_by_a_millionth_is_found_out(claim_id, side):
    """Off so that its own verdict is CERTIFIED: nothing in it tells."""
    claim = CLAIM[claim_id]
    if FORMULAS[claim_id].identity:
        sides = {name: _scaled(getattr(claim, name), SLIGHTLY) for name in ("left", "right")}
    else:
        rough = claim_id in (STATED_ROUGHLY if side == "right" else KNOWN_ROUGHLY)
        off = COARSELY.get(claim_id, Fraction(101, 100) if rough else SLIGHTLY)
        if side == "left":
            off = LEFT_COARSELY.get(claim_id, off)
        sides = {side: _scaled(getattr(claim, side), off if side == "right" else 1 / off)}
    slow = OF_LARGEST_SUMS | OF_ATOMS
    is_usual = is_of_second_kind(claim_id) or claim_id in slow
    subject = gallery.load(usual(claim_id) if is_usual else "hidden-state")
    found = r"side is|side, [-+.0-9e]+, is|the supremum is as stated|disagree"
    # What is known to few digits is compared with the checker as the certificate is made.
    with pytest.raises((Invalid, NotCertified), match=found):
        check_text(json.dumps(certificate(dataclasses.replace(claim, **sides), subject)))


def test_a_claim_without_a_formula_is_not_certified():
    unknown = dataclasses.replace(CLAIM["P1"], id="P0")
    with pytest.raises(NotCertified, match="no certificates of P0 yet"):
        certificate(unknown, gallery.load("fair-coin"))


def test_the_document_says_what_the_contract_promises():
    document = made("P5", "markov-onegin")
    assert document["schema"] == "certificate/1"
    assert document["claim"] == "P5"
    assert document["instance"] == gallery.load("markov-onegin").to_json()
    assert document["made_by"].keys() == set(MADE_BY)
    assert document["cases"][0].keys() == {"case", "left", "right"}


def test_the_same_certificate_is_written_twice():
    again = certificate(CLAIM["E5"], gallery.load("absorbing"))
    assert to_bytes(again) == to_bytes(made("E5", "absorbing"))


def test_what_a_check_prints_fits_a_terminal(tmp_path):
    file = tmp_path / "certificate.json"
    file.write_bytes(to_bytes(made("P1", "de-bruijn-history")))
    text, code = check_and_render(file)
    assert code == 0
    assert text.startswith("VALID     P1 on de-bruijn-history\n")
    assert max(map(len, text.splitlines())) < 80
    for part in ("says", "holds in", "verified", "trusted", "made by"):
        assert f"\n{part}  " in text


@pytest.mark.parametrize("claim_id", FORMULAS)
def test_the_checker_runs_without_the_rest_of_us(claim_id, tmp_path):
    file = tmp_path / "certificate.json"
    file.write_bytes(to_bytes(made(claim_id, usual(claim_id))))
    code = (
        "import sys\n"
        "from verification.certificate.check.__main__ import main\n"
        f"assert main([{str(file)!r}]) == 0\n"
        "print(*sorted(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    loaded = done.stdout.splitlines()[-1].split()
    ours = {name for name in loaded if name.split(".")[0] in {"verification", "theorems"}}
    assert {name for name in ours if not name.startswith("verification.certificate.check")} == {
        "verification",
        "verification.certificate",
    }
    assert not {"numpy", "scipy", "mpmath", "click"} & set(loaded)
    assert ("flint" in loaded) is FORMULAS[claim_id].in_balls
