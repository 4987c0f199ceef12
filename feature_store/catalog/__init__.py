"""The searchable record of everything that is declared: its versions, what reads what, and who is hit by a change."""
