"""Certificates to test the checker with, and every way to alter one of their fields."""

from __future__ import annotations

import copy
import json
from functools import lru_cache

from theorems import CLAIMS
from verification import Instance, gallery, strict_json
from verification.certificate.check.checking import check_text
from verification.certificate.check.outcome import Invalid, Refused, Unsupported
from verification.certificate.check.reading import digest
from verification.certificate.writing import certificate
from verification.subject import read_subject

CLAIM = {claim.id: claim for claim in CLAIMS}


LOPSIDED = "lopsided"
"""An instance without any symmetry: there no alteration can leave a number as it was."""

LOPSIDED_TARGET = {
    "schema": "linear-functional/1",
    "name": "lopsided-target",
    "target": [[{"kind": "exponential", "coefficient": "0.8", "rate": "0.3", "power": 1}]],
    "widths": [1],
    "network": {"W": [["-1", "0.7"], ["-0.2", "-2"]], "U": [["1"], ["-0.5"]], "c": ["0.4", "1.5"]},
}
"""The same of the second kind."""


LOPSIDED_TRAINING = {
    "schema": "linear-functional/1",
    "name": "lopsided-training",
    "target": [
        [
            {"kind": "exponential", "coefficient": "0.8", "rate": "1"},
            {"kind": "exponential", "coefficient": "-0.3", "rate": "2.5"},
        ]
    ],
    "widths": [1],
    "training": {"bump": {"height": "0.7", "length": "1.3"}, "delays": ["2.5"], "radius": "0.3"},
}
LOPSIDED_SMOOTH = {
    "schema": "linear-functional/1",
    "name": "lopsided-smooth",
    "target": [
        [
            {"kind": "exponential", "coefficient": "0.8", "rate": "0.3", "power": 1},
            {
                "kind": "exponential",
                "coefficient": "-0.3",
                "rate": "0.7",
                "frequency": "1.5",
                "sine": "0.4",
            },
        ]
    ],
    "widths": [1, 5],
    "beta": "0.11",
}
LOPSIDED_TRAP = {
    "schema": "linear-functional/1",
    "name": "lopsided-trap",
    "target": [[{"kind": "exponential", "coefficient": "0.8", "rate": "1.1"}]],
    "widths": [1],
    "training": {"bump": {"height": "0.07", "length": "1.3"}, "delays": ["5.5"], "radius": "0.3"},
}
OF_TRAININGS = {"C7G", "C7", "C7E", "C7L", "C7T"}
OF_LAWS = {"C5", "C5W", "C5L"}
"""Claims on power laws."""
OF_LARGEST_SUMS = {"P3", "P6M"}
"""Claims of which a case takes the checker a second on chains with fine observables."""
OF_ATOMS = {"M6"}
"""Claims certified for laws of few atoms only."""
OF_EXPLICIT_BOUNDS = {"T5"}
"""Claims certified where the explicit bound of a network's distance is small."""
OF_NO_KERNELS = {"C3"}
"""Claims on targets that are not the kernels of networks."""


def is_of_second_kind(claim_id):
    return CLAIM[claim_id].kind == LOPSIDED_TARGET["schema"]


def lopsided(claim_id):
    """Return the name of the lopsided instance that a claim is about."""
    if claim_id in OF_LARGEST_SUMS:
        return "rain-tel-aviv"
    if claim_id in OF_ATOMS:
        return "dependent-b-on-w"
    if claim_id in OF_LAWS:
        return "power-law-one"
    if claim_id in {"C2", "C2P"}:
        return LOPSIDED_SMOOTH["name"]
    if claim_id in OF_NO_KERNELS:
        return "damped-reciprocal"
    if claim_id == "C7T":
        return LOPSIDED_TRAP["name"]
    if claim_id in OF_TRAININGS:
        return LOPSIDED_TRAINING["name"]
    return LOPSIDED_TARGET["name"] if is_of_second_kind(claim_id) else LOPSIDED


def instance_named(name):
    """Return a gallery instance, or a lopsided one."""
    for document in (LOPSIDED_TARGET, LOPSIDED_SMOOTH, LOPSIDED_TRAINING, LOPSIDED_TRAP):
        if name == document["name"]:
            return read_subject(strict_json.loads(json.dumps(document)))
    if name != LOPSIDED:
        return gallery.load(name)
    document = gallery.load("markov-onegin").to_json()
    document["name"] = name
    document["chain"]["inputs"] = [["1"], ["-0.5"]]
    return Instance.from_json(document)


@lru_cache(maxsize=256)
def _text(claim_id, name):
    return json.dumps(certificate(CLAIM[claim_id], instance_named(name)))


def made(claim_id, name):
    """Return the certificate of a claim on an instance of that name."""
    return json.loads(_text(claim_id, name))


def sealed(document):
    """Write the digest anew, as a forger would."""
    return document | {"digest": digest(document)}


def outcome(document):
    """Return VALID, INVALID, UNSUPPORTED or REFUSED."""
    try:
        check_text(json.dumps(document))
    except Invalid:
        return "INVALID"
    except Refused:
        return "REFUSED"
    except Unsupported:
        return "UNSUPPORTED"
    return "VALID"


def paths(value, path=()):
    """List the paths of all members and elements below a value."""
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    else:
        return
    for key, child in children:
        yield (*path, key)
        yield from paths(child, (*path, key))


def at(document, path):
    for key in path:
        document = document[key]
    return document


def replaced(document, path, value):
    changed = copy.deepcopy(document)
    at(changed, path[:-1])[path[-1]] = value
    return changed


def removed(document, path):
    changed = copy.deepcopy(document)
    del at(changed, path[:-1])[path[-1]]
    return changed


def nudged(text):
    """Change the last digit of a number's text by one."""
    for i in reversed(range(len(text))):
        if text[i].isdigit():
            other = str(int(text[i]) + 1) if text[i] < "9" else "8"
            return text[:i] + other + text[i + 1 :]
    return text + "x"


def alterations(document, path):
    """Return the documents in which the one field at a path is altered, each with how."""
    value = at(document, path)
    found = [("removed", removed(document, path))]

    def put(how, other):
        if other != value:
            found.append((how, replaced(document, path, other)))

    if isinstance(value, str):
        put("nudged", nudged(value))
        put("negated", value[1:] if value.startswith("-") else f"-{value}")
        put("zero", "0")
        put("another kind", 1)
    elif isinstance(value, bool) or value is None:
        put("another kind", "1")
    elif isinstance(value, int):
        put("one more", value + 1)
        put("one less", value - 1)
        put("large", 10**17)
        put("another kind", str(value))
    elif isinstance(value, list):
        put("shorter", value[:-1])
        put("longer", value + value[-1:])
        put("reversed", value[::-1])
        put("empty", [])
        put("another kind", {})
    elif isinstance(value, dict):
        put("one key more", value | {"more": "1"})
        put("empty", {})
        put("another kind", [])
    return found
