"""Policies before they are compiled: where each one stands, short forms, and everything that is wrong with them."""
