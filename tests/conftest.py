"""Loaded before every test.

Hypothesis takes note of the random generators of libraries when it is imported, and warns where one is gone by then. A
test that imports it late, after others have frozen the garbage collector, would see that warning as an error.
"""

import hypothesis

assert hypothesis
