"""To whom the edge says which certificates came on a connection."""

import pytest
from tests.support.enforce_plans import operation, plan, service

from ringwall.enforce.client_certificate import filter_config, shown
from ringwall.plan.certificate import CertificateSubject, SubjectKind
from ringwall.plan.client import Client
from ringwall.plan.model import Plan

VOUCHED = Client(name="robot", certificate_subject=CertificateSubject(kind=SubjectKind.DNS, value="robot.example"))
LISTED = Client(name="listed", certificates=("a" * 43,))


def _script(made: Plan) -> str:
    return str(filter_config(shown(made)).default_source_code.inline_string)


def _plan(prefix: str, *clients: Client) -> Plan:
    issuer = service("issuer", operation("issuer", "any", "*", "/{rest...}", token=False), prefix=prefix, builtin=True)
    return plan(issuer).model_copy(update={"clients": clients})


@pytest.mark.parametrize(
    ("made", "pattern"),
    [
        (_plan("/auth", VOUCHED), "^/auth/"),
        (_plan("/a.b-c", LISTED, VOUCHED), "^/a%.b%-c/"),
        (_plan("/auth", LISTED), "^$"),
        (_plan("/auth"), "^$"),
    ],
)
def test_chains_go_to_the_issuer_alone_and_where_it_reads_them(made: Plan, pattern: str) -> None:
    script = _script(made)
    assert f'"{pattern}") then' in script
    assert "@" not in script
