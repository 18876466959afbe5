"""What is sent again on the way to a process of the issuer, and where."""

from typing import Any

from tests.support.enforce_plans import operation, service, spiffe

from ringwall.enforce import names
from ringwall.enforce.routes import operation_routes
from ringwall.plan.model import Service
from ringwall.plan.policy import Mode


def retry_policy(asked: Service) -> Any:
    (one,) = asked.operations
    made = operation_routes(
        asked,
        one,
        one.inbound,
        mode=Mode.ENFORCE,
        callers=[spiffe("edge")],
        edge_id=spiffe("edge"),
        cluster=names.app(asked.name),
    )
    return made.own[0].route.retry_policy


def test_another_process_is_asked_and_only_for_what_was_not_received() -> None:
    name = "ringwall-issuer"
    policy = retry_policy(service(name, operation(name, "any", "*", "/{rest...}", token=False), builtin=True))
    assert policy.retry_on == "connect-failure,refused-stream,reset-before-request"
    assert [each.name for each in policy.retry_host_predicate] == ["envoy.retry_host_predicates.previous_hosts"]
    assert policy.host_selection_retry_max_attempts >= 10


def test_services_of_users_are_asked_once_more_at_most() -> None:
    policy = retry_policy(service("a", operation("a", "any", "POST", "/", token=False)))
    assert policy.num_retries.value == 1
    assert not policy.retry_host_predicate
