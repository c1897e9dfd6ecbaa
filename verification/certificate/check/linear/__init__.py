"""Linear networks, kernels and their norms, in balls."""
