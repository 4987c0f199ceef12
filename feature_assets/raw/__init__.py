"""The landing of raw data: the code location that every view reads from."""
