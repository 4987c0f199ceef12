"""From events to tiles in the online store."""
