"""Answers for the routes whose rules could not be compiled: Envoy asks over HTTP (ext_authz) on a Unix socket."""

from ringwall.enforce.decision_point.judge import Judge, RefusedError
from ringwall.enforce.decision_point.server import DecisionPoint

__all__ = ["DecisionPoint", "Judge", "RefusedError"]
