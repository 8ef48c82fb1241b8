"""One module a column type."""
