"""The training movie without a browser: where its frames come from, and films made of them."""
