"""Notebook widgets, one module a widget."""
