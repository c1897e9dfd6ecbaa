"""A page for each claim, made from the claim itself, and one that lists them all."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from verification.claim import AnyClaim
from verification.report.document import claim_document
from verification.report.evidence import EVIDENCE
from verification.report.files import write_atomically
from verification.report.graph import NODE_HEIGHT, NODE_WIDTH, uses_graph
from verification.report.page import page
from verification.report.text import Anchors

INDEX = "index.html"


class ClaimPages:
    """The pages of some claims, which link to each other.

    Parameters
    ----------
    claims : sequence of Claim
    origins : mapping
        What is known of instances by name: where they come from and why they are there, or None.
    certifiable : collection of str
        Ids of the claims of which certificates are made.
    """

    def __init__(
        self,
        claims: Sequence[AnyClaim],
        *,
        origins: Mapping[str, str | None],
        certifiable: Collection[str],
    ) -> None:
        self._claims = claims
        self._origins = origins
        self._certifiable = certifiable
        anchors = Anchors()
        self._files = {claim.id: f"{anchors('claim', claim.id)}.html" for claim in claims}

    def write(self, out: Path, only: AnyClaim | None = None) -> list[Path]:
        """Write the pages of all claims and the list, or the page of one; return the files."""
        if only is not None:
            files = {self._files[only.id]: self.render(only, alone=True)}
        else:
            files = {self._files[claim.id]: self.render(claim) for claim in self._claims}
            files[INDEX] = self.render_index()
        for name, text in files.items():
            write_atomically(out / name, text.encode())
        return [out / name for name in files]

    def render(self, claim: AnyClaim, *, alone: bool = False) -> str:
        """Return the page of a claim; one that stands alone has no links to others."""
        document = claim_document(claim)
        instances = self._instances(claim)
        names = set(instances)
        anchors = Anchors()
        return page(
            "claim.html.jinja",
            claim=document,
            evidence=EVIDENCE[claim.evidence],
            used_by=[other.id for other in self._claims if claim.id in other.uses],
            instances=instances,
            commands=self._commands(claim),
            alone=alone,
            index=INDEX,
            theorem=_in_words(claim.theorem),
            anchors=anchors,
            claim_address=lambda name: self._address(claim, name, alone=alone),
            elsewhere="has a page of its own" if alone else "not among these claims",
            instance_address=lambda name: f"#{anchors('i', name)}" if name in names else None,
        )

    def render_index(self) -> str:
        """Return the list of all claims."""
        groups = [
            (_in_words(theorem), [claim_document(claim) for claim in group])
            for theorem, group in groupby(self._claims, key=lambda claim: claim.theorem)
        ]
        return page(
            "claims.html.jinja",
            groups=groups,
            evidence={claim.id: EVIDENCE[claim.evidence] for claim in self._claims},
            graph=uses_graph({claim.id: claim.uses for claim in self._claims}),
            node_width=NODE_WIDTH,
            node_height=NODE_HEIGHT,
            anchors=Anchors(),
            claim_address=self._files.get,
            elsewhere="not among these claims",
            instance_address=lambda _name: None,
        )

    def _address(self, claim: AnyClaim, name: str, *, alone: bool) -> str | None:
        if alone:
            return "#claim" if name == claim.id else None
        return self._files.get(name)

    def _instances(self, claim: AnyClaim) -> dict[str, dict[str, Any]]:
        """Return the instances that the claim names: what for, and what is known of them."""
        roles: dict[str, list[str]] = {}
        for name in claim.sharp:
            roles.setdefault(name, []).append("nearly an equality")
        for mutant in claim.mutants:
            for name in mutant.refuted_on:
                roles.setdefault(name, []).append(f"to refute {mutant.name}")
        for name in claim.disputed.refuted_on if claim.disputed else ():
            roles.setdefault(name, []).append("refutes the claim")
        return {
            name: {"roles": own, "origin": self._origins.get(name)} for name, own in roles.items()
        }

    def _commands(self, claim: AnyClaim) -> list[tuple[str, str]]:
        """Return what decides the claim, and the command."""
        on = [*claim.sharp, *(claim.disputed.refuted_on if claim.disputed else ())][:1]
        told = [
            ("on the gallery, with its mutants", ["verify", "--claim", claim.id]),
            *(("on one instance", ["verify", name, "--claim", claim.id]) for name in on),
            ("on instances that nobody chose", ["campaign", "--claim", claim.id]),
        ]
        if claim.id in self._certifiable:
            certify = (["certify", name, "--claim", claim.id, "--out", "c.json"] for name in on)
            told += [("with a certificate", words) for words in certify]
            told.append(("the certificate, by the small checker", ["check", "c.json"]))
        told.append(("what a run or a campaign has kept, again", ["replay", "FILE.json"]))
        return [(text, shlex.join(["theorems", *words])) for text, words in told]


def _in_words(theorem: str) -> str:
    return theorem.replace("_", " ").capitalize() or "Claims"
