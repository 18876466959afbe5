"""Who is lent the identity of a service, and who is not."""

from collections.abc import Iterator

import pytest
from cryptography import x509
from tests.support.enforce_plans import plan, service

from ringwall.bootstrap.impersonation import ImpersonationError, lend
from ringwall.identity.keystore import MemoryKeyStore
from ringwall.identity.workload.authority import WorkloadAuthority
from ringwall.model.clock import ManualClock

PLAN = plan(service("portal"), service("patients"), service("ringwall-issuer", builtin=True))


@pytest.fixture
def authority() -> Iterator[WorkloadAuthority]:
    made = WorkloadAuthority(MemoryKeyStore(), PLAN.trust_domain, ManualClock())
    yield made
    made.stop()


def test_in_development_mode_the_operator_can_be_a_service(authority: WorkloadAuthority) -> None:
    lent = lend(PLAN, authority, {"service": "portal"})
    leaf = x509.load_pem_x509_certificate(lent["chain"].encode())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [PLAN.by_name["portal"].spiffe_id]
    assert "PRIVATE KEY" in lent["key"]
    assert lent["bundle"].encode() == authority.trust_bundle()


def test_outside_development_mode_nobody_can(authority: WorkloadAuthority) -> None:
    with pytest.raises(ImpersonationError, match="development mode"):
        lend(PLAN.model_copy(update={"development": False}), authority, {"service": "portal"})


@pytest.mark.parametrize("name", ["nobody", "edge", "", "ringwall-issuer", "../portal"])
def test_only_services_of_the_user_are_lent(authority: WorkloadAuthority, name: str) -> None:
    with pytest.raises(ImpersonationError, match="no service"):
        lend(PLAN, authority, {"service": name})
