"""The intermediate form between what the user wrote and what is enforced.

A `Plan` is immutable, complete and has a digest. It is the only thing that crosses from the
compiling stages to the running ones.
"""
