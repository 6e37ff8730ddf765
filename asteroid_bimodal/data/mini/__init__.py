"""The embedded miniature data sets: rendered on the spot, nothing to download."""
