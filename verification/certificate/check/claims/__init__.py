"""What derives the sides of a case, claim by claim; most of it loads FLINT."""
