"""Independent answers at high precision, by mpmath: to test against, never to certify.

mpmath encloses nothing (and its interval type misses the truth at times), so that an answer here
is computed at two precisions and their difference is reported as its spread.  Only this package
imports mpmath, and it imports nothing of ours but the description of an instance: formulas and
methods are its own (numerical differentiation, Gauss-Legendre panels by mpmath, the density of a
sum of uniforms, the secant method).
"""
