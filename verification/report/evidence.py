"""What results can rest on, in words."""

from __future__ import annotations

from collections.abc import Mapping

from verification.verdict import EvidenceKind

EVIDENCE: Mapping[str, str] = {
    EvidenceKind.BALLS: "ball arithmetic",
    EvidenceKind.RATIONALS: "exact rationals",
    EvidenceKind.DOUBLES: "double precision with a proved error bound",
    EvidenceKind.SIMULATION: "simulation",
}
"""The kinds of evidence, in words."""
