"""People: their accounts, and how they prove who they are. Knows no web framework.

`accounts` is what pages and administration call; the other modules each hold one way to prove who one is.
"""
