"""Certificates: what a verdict rests on, written down so that a sceptic can check it.

`writing` makes one from a claim that is CERTIFIED on an instance; `check` is the independent
checker, which imports nothing else of ours.
"""
