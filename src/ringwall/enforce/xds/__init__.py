"""The xDS server: gives each Envoy what is its own, in an order that breaks nothing, and knows what came of it."""

from ringwall.enforce.xds.server import XdsServer
from ringwall.enforce.xds.status import NodeStatus, PlanNotInForceError, PlanRejectedError, Rejection, ServerStatus

__all__ = ["NodeStatus", "PlanNotInForceError", "PlanRejectedError", "Rejection", "ServerStatus", "XdsServer"]
