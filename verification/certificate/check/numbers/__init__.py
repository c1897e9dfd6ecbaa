"""Numbers between bounds: rational bounds, balls, complex balls, Taylor remainders."""
