"""Markov chains: classes, periods, contraction and paths, exact where a verdict needs it."""
