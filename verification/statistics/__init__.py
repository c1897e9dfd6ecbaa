"""What random draws say of a mean, at every time and at a stated level of error."""
