"""Static figures (matplotlib, plotly)."""
