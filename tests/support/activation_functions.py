"""The named activations at mpmath's precision, for real and complex numbers."""

import mpmath

FUNCTIONS = {
    "tanh": mpmath.tanh,
    "logistic": lambda z: 1 / (1 + mpmath.exp(-z)),
    "erf": mpmath.erf,
    "arctan": mpmath.atan,
    "sin": mpmath.sin,
}
