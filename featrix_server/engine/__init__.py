"""The tabular embedding engine: numbers only, no web, no database."""
