"""Predictors on an embedding space: train, calibrate, answer, explain."""
