"""The online store: packed rows in Redis or Valkey, in generations that readers switch by clock."""
