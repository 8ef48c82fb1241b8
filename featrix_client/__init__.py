"""A minimal REST client for tabular embedding models."""
