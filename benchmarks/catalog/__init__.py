"""The catalog at the size of an organisation."""
