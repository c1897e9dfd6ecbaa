"""A user's own sequence made into an instance: a column of a CSV file, its chain, its targets."""
