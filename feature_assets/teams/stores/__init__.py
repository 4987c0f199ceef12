"""Stores: staffs and supplies the shops."""
