"""Answers for the routes whose rules could not be compiled: Envoy asks over HTTP (ext_authz) on a Unix socket."""
