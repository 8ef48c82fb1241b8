"""Featrix Notebook: what `%load_ext featrix` loads."""
