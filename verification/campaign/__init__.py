"""The search for counterexamples: strategies that generate instances, campaigns, replay."""
