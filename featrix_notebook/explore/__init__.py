"""Questions about rows on a sphere, answered from their values and their embedding."""
