"""Widgets, figures and magics for notebooks."""
