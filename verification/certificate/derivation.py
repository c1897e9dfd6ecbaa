"""What the checker makes of the cases of a certificate that is being written."""

from __future__ import annotations

import json
from fractions import Fraction
from functools import cached_property

from verification.certificate.check.formulas import FORMULAS
from verification.certificate.check.numbers.bounds import SLACK, Bounds, Shown, at
from verification.certificate.check.outcome import Budget, Invalid, Refused, Unsupported
from verification.certificate.check.reading import parse
from verification.errors import VerificationError
from verification.instance import Json
from verification.subject import Subject

_BITS = 128
_NOTHING_CLAIMED = Bounds.exactly(Fraction(0))
_PROBLEMS = (Invalid, Refused, Unsupported)


class NotShown(VerificationError):  # noqa: N818 - an outcome
    """The checker does not find what a certificate would say."""


class Derivation:
    """The checker's own derivation of cases, from the witness that they share.

    Parameters
    ----------
    claim_id : str
    instance : Subject
    witness : dict
    """

    def __init__(self, claim_id: str, instance: Subject, witness: dict[str, Json]) -> None:
        self._claim_id, self._instance, self._witness = claim_id, instance, witness

    @cached_property
    def _context(self) -> object:
        formula, budget = FORMULAS[self._claim_id], Budget()
        read = formula.read(parse(json.dumps(self._instance.to_json())), budget)
        return formula.prepare(read, parse(json.dumps(self._witness)), budget)

    def sides(self, case: Json) -> tuple[Bounds, Bounds]:
        """Return how well both sides of a case are known.

        Raises
        ------
        NotShown
            Where they are not, or not known to be in order.
        """
        try:
            found = self._derived(case)
            left, right = at(found.left, _BITS), at(found.right, _BITS)
        except _PROBLEMS as error:
            raise NotShown(f"the witness does not show {self._claim_id}: {error}") from error
        if left.upper > right.lower * (1 + SLACK):
            raise NotShown(f"the witness does not show {self._claim_id} in the case: {found.what}")
        return left, right

    def left_is_between(self, case: Json, claimed: Bounds, bits: int) -> bool:
        """Tell whether the left side of a case is known to lie within bounds, at a precision."""
        try:
            left = at(self._derived(case).left, bits)
        except _PROBLEMS:
            return False
        return claimed.lower <= left.lower and left.upper <= claimed.upper

    def _derived(self, case: Json) -> Shown:
        formula = FORMULAS[self._claim_id]
        return formula.derive(self._context, parse(json.dumps(case)), _NOTHING_CLAIMED)
