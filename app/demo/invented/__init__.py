"""A country that does not exist: what is said about it can only come from the passages that are written here."""
