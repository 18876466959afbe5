"""A proxy in front of the edge tells the client's address, and nothing else that a service is told."""

import pytest
from tests.support.enforce_plans import operation, plan, service
from tests.support.enforce_rig import running

FORGED = {f"X-Forwarded-{name}": "forged" for name in ("Proto", "Host", "Prefix", "Port", "Scheme", "User", "Server")}


def test_of_a_proxy_in_front_only_the_address_is_believed(tmp_path_factory: pytest.TempPathFactory) -> None:
    made = plan(
        service("below", operation("below", "get", "GET", "/x", token=False), prefix="/below"),
        service("root", operation("root", "get", "GET", "/y", token=False), prefix=""),
    )
    assert made.edge is not None
    made = made.model_copy(update={"edge": made.edge.model_copy(update={"trusted_hops": 1})})
    with running(made, tmp_path_factory.mktemp("forwarded")) as rig:
        for path, name, prefix in (("/below/x", "below", "/below"), ("/y", "root", None)):
            answer = rig.get(path, headers=FORGED | {"X-Forwarded-For": "203.0.113.7"})
            assert answer.status == 200
            seen = rig.apps[name].seen[-1]
            told = [seen.header(f"x-forwarded-{what}") for what in ("for", "proto", "host", "prefix")]
            assert told == ["203.0.113.7", "https", "localhost", prefix]
            assert "forged" not in str(seen.headers)
