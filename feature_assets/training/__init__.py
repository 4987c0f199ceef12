"""The example model: will this household buy nothing in the next 14 days?"""
