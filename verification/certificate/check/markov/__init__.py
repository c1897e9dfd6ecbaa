"""Markov chains in rationals."""
