"""Figures of models: matplotlib for still ones, plotly for the ones that turn."""
