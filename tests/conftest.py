"""For all tests: what Hypothesis makes may take as long as a busy machine needs; forks beside gRPC only execute."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("patient", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
# Tests start processes from one that may run gRPC's threads, whose own care for forks can abort the child.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
