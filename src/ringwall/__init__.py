"""Ringwall secures a whole system of microservices from one file."""

__version__ = "0.1.0"
