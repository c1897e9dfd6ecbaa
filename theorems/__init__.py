"""The theorems, one module each, in the order of the paper; `CLAIMS` lists every claim."""

from theorems import activation_bounds, memory_contraction
from verification.claim import AnyClaim

CLAIMS: tuple[AnyClaim, ...] = (*activation_bounds.CLAIMS, *memory_contraction.CLAIMS)
