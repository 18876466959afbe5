"""Reads `ringwall.yaml`, Cedar and OpenAPI files into a typed Blueprint; every error has its place in the source."""
