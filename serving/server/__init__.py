"""The HTTP server: feature vectors as columnar JSON or Arrow, from service plans and the online store alone."""
