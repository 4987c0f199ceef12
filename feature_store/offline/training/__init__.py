"""Training sets: built, stored, and their manifests."""
