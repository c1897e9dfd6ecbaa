"""The report of a run: one document, rendered for people, pull requests and CI systems."""
