"""Linear functionals with memory and the linear networks that approximate them."""
