"""Reading features online: the Python client, the HTTP server and the online store."""
