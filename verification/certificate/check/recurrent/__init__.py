"""Activations, laws and the memory, in balls, by rules of the checker's own."""
