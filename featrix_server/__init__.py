"""The embedded server: the REST protocol over a store, a job queue and the engine."""
