"""Rigorous arithmetic: balls, quadrature, suprema, proved error bounds of double kernels."""
