"""The independent checker of certificates: it imports nothing else of ours, and no numpy.

A certificate says that a claim holds on an instance in the cases that it lists, states both sides
of each to some digits, and brings *witnesses*: numbers that are hard to find and easy to verify,
such as a stationary law.  The checker reads the instance, the cases and the claim's formula with
code of its own, verifies the witnesses, computes both sides, compares them with what is stated and
with each other.  What chains decide is decided in rationals (`markov`); where functions are
evaluated, in balls (`numbers`, which alone loads flint).

``VALID`` means: the claim's (in)equality holds on this instance in the cases listed.  It rests on
this package, Python's integers, FLINT where balls are used, and the claim's statement as
`statements` say it.  A digest over the whole document finds every other change of the file; it is
no signature: whoever writes the digest anew can leave out cases, but can change no number.
"""
