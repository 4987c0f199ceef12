"""The meaning of features, in plain Python: the executable specification that every engine and store must equal.

No tiles, no merging, no arrays: every event is looked at for every entity, feature and instant. It is slow on purpose,
short enough to be read and believed, and the second path by which tests, parity checks and explanations compute values.

Of the product it shares what was declared (views, expressions and their types, windows with their hops) and nothing
that computes.

Rows are mappings of the source's columns to values: None, int, float, bool, str, datetime in UTC, or a list of floats
(vectors).
"""
