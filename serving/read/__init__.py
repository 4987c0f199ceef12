"""From a request to vectors."""
