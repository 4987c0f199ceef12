"""Bytes: every format that outlives a process and is ours."""
