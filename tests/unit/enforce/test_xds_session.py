"""The state machine of one proxy's stream, spoken to in the messages of the real protocol."""

from typing import Any

import pytest
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf.any_pb2 import Any as AnyMessage

from ringwall.enforce.snapshot import CLUSTER, LISTENER, ROUTES, SCOPES, SECRET, TYPES, Resource, Snapshot
from ringwall.enforce.xds.session import Session


def _snapshot(plan: str = "p1", **versions: str) -> Snapshot:
    """Build a snapshot from names such as `cds_a="1"`: type, name and version."""
    kinds = {"cds": CLUSTER, "sds": SECRET, "lds": LISTENER, "srds": SCOPES, "rds": ROUTES}
    resources = []
    for key, version in versions.items():
        kind, _, name = key.partition("_")
        resources.append(Resource(name, version, AnyMessage(type_url=kinds[kind], value=version.encode())))
    return Snapshot.of("mesh", plan, resources)


class Proxy:
    """What an Envoy would do: ask, and answer every response unless told to refuse names."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.got: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = []
        self.refuse: set[str] = set()

    def ask(self, kind: str, *names: str, drop: tuple[str, ...] = (), **has: str) -> None:
        self.session.receive(
            discovery_pb2.DeltaDiscoveryRequest(
                type_url=kind,
                resource_names_subscribe=names,
                resource_names_unsubscribe=drop,
                initial_resource_versions=has,
            )
        )

    def run(self) -> None:
        """Take in responses and answer them until there is nothing more."""
        for _ in range(50):
            responses = list(self.session.responses())
            if not responses:
                return
            for response in responses:
                self.note(response)
                self.answer(response)
        raise AssertionError("the server loops")

    def note(self, response: Any) -> None:
        names = tuple(resource.name for resource in response.resources)
        self.got.append((response.type_url, names, tuple(response.removed_resources)))

    def answer(self, response: Any) -> None:
        request = discovery_pb2.DeltaDiscoveryRequest(type_url=response.type_url, response_nonce=response.nonce)
        bad = sorted(self.refuse & {resource.name for resource in response.resources})
        if bad:
            request.error_detail.message = f"{bad} cannot be"
        self.session.receive(request)


def _proxy(target: Snapshot | None = None, *, remove: bool = True) -> Proxy:
    session = Session("mesh")
    if target is not None:
        session.aim(target, remove=remove)
    return Proxy(session)


def test_nothing_is_said_before_there_is_something_to_say() -> None:
    proxy = _proxy()
    proxy.ask(CLUSTER)
    assert list(proxy.session.responses()) == []
    proxy.session.aim(_snapshot(cds_a="1"), remove=True)
    proxy.run()
    assert proxy.got == [(CLUSTER, ("a",), ())]


def test_an_acknowledgement_is_not_answered_again() -> None:
    """A request with a nonce and no other names is an ACK, or server and proxy would answer each other for ever."""
    proxy = _proxy(_snapshot(cds_a="1", lds_l="1"))
    proxy.ask(CLUSTER)
    proxy.ask(LISTENER, "*")
    proxy.run()
    assert proxy.got == [(CLUSTER, ("a",), ()), (LISTENER, ("l",), ())]
    assert proxy.session.settled()


def test_only_what_changed_is_sent() -> None:
    proxy = _proxy(_snapshot(cds_a="1", cds_b="1"))
    proxy.ask(CLUSTER)
    proxy.run()
    proxy.session.aim(_snapshot("p2", cds_a="1", cds_b="2"), remove=True)
    assert not proxy.session.settled()
    proxy.run()
    assert proxy.got[1:] == [(CLUSTER, ("b",), ())]


def test_new_things_come_before_what_points_at_them_and_old_things_go_last() -> None:
    proxy = _proxy(_snapshot(cds_old="1", sds_s="1", lds_l="1", lds_old="1", rds_r="1"))
    for kind in (CLUSTER, LISTENER):
        proxy.ask(kind)
    proxy.ask(SECRET, "s")
    proxy.ask(ROUTES, "r")
    proxy.run()
    proxy.got.clear()
    proxy.session.aim(_snapshot("p2", cds_new="1", sds_s="2", lds_l="2", lds_new="1", rds_r="2"), remove=True)
    proxy.run()
    assert proxy.got == [
        (CLUSTER, ("new",), ()),
        (SECRET, ("s",), ()),
        (LISTENER, ("l", "new"), ()),
        (ROUTES, ("r",), ()),
        (LISTENER, (), ("old",)),
        (CLUSTER, (), ("old",)),
    ]


def test_a_stage_waits_for_the_answer_to_the_one_before() -> None:
    proxy = _proxy(_snapshot(cds_a="1", lds_l="1"))
    proxy.ask(CLUSTER)
    proxy.ask(LISTENER)
    (first,) = proxy.session.responses()
    assert first.type_url == CLUSTER
    assert list(proxy.session.responses()) == []
    proxy.answer(first)
    (second,) = proxy.session.responses()
    assert second.type_url == LISTENER


def test_nothing_is_taken_away_before_it_may_be() -> None:
    proxy = _proxy(_snapshot(cds_a="1", cds_b="1"))
    proxy.ask(CLUSTER)
    proxy.run()
    smaller = _snapshot("p2", cds_a="1")
    proxy.session.aim(smaller, remove=False)
    proxy.run()
    assert proxy.got == [(CLUSTER, ("a", "b"), ())]
    assert proxy.session.settled()
    proxy.session.aim(smaller, remove=True)
    assert not proxy.session.settled()
    proxy.run()
    assert proxy.got[1:] == [(CLUSTER, (), ("b",))]


def test_a_name_that_is_asked_for_is_answered_at_once_even_if_there_is_none() -> None:
    proxy = _proxy(_snapshot(cds_a="1", sds_s="1"))
    proxy.ask(CLUSTER)
    held = list(proxy.session.responses())
    proxy.ask(SECRET, "s", "unknown")
    proxy.run()
    assert proxy.got == [(SECRET, ("s",), ("unknown",))]
    assert len(held) == 1


def test_a_name_that_is_asked_for_again_is_sent_again() -> None:
    proxy = _proxy(_snapshot(rds_r="1"))
    proxy.ask(ROUTES, "r")
    proxy.run()
    proxy.ask(ROUTES, "r")
    proxy.run()
    assert proxy.got == [(ROUTES, ("r",), ())] * 2


def test_a_name_that_is_no_longer_asked_for_is_not_sent() -> None:
    proxy = _proxy(_snapshot(rds_r="1", rds_q="1"))
    proxy.ask(ROUTES, "r", "q")
    proxy.run()
    proxy.ask(ROUTES, drop=("r",))
    proxy.session.aim(_snapshot("p2", rds_r="2", rds_q="2"), remove=True)
    proxy.run()
    assert proxy.got[1:] == [(ROUTES, ("q",), ())]


def test_after_a_reconnect_only_what_is_new_is_sent() -> None:
    proxy = _proxy(_snapshot(cds_a="1", cds_b="2", rds_r="1", rds_q="2"))
    proxy.ask(CLUSTER, a="1", b="1", gone="1")
    proxy.ask(ROUTES, "r", "q", r="1", q="1")
    proxy.run()
    assert sorted(proxy.got) == [(CLUSTER, (), ("gone",)), (CLUSTER, ("b",), ()), (ROUTES, ("q",), ())]
    assert proxy.session.settled()


def test_what_is_refused_is_told_and_not_sent_again_until_it_changes() -> None:
    proxy = _proxy(_snapshot(rds_r="1"))
    proxy.ask(ROUTES, "r")
    proxy.refuse = {"r"}
    proxy.run()
    (rejection,) = proxy.session.rejections()
    assert (rejection.node, rejection.kind, rejection.resource, rejection.plan) == ("mesh", "routes", "r", "p1")
    assert rejection.message == "['r'] cannot be"
    assert proxy.session.settled()
    proxy.run()
    assert len(proxy.got) == 1
    proxy.refuse = set()
    proxy.session.aim(_snapshot("p2", rds_r="2"), remove=True)
    proxy.run()
    assert proxy.session.rejections() == ()
    assert proxy.session.settled()


def test_one_bad_resource_does_not_hold_back_the_others() -> None:
    proxy = _proxy(_snapshot(rds_a="1", rds_bad="1", rds_c="1"))
    proxy.ask(ROUTES, "a", "bad", "c")
    proxy.refuse = {"bad"}
    proxy.run()
    assert [names for _, names, _ in proxy.got] == [("a", "bad", "c"), ("a",), ("bad",), ("c",)]
    assert [rejection.resource for rejection in proxy.session.rejections()] == ["bad"]
    assert proxy.session.versions()[ROUTES] == {"a": "1", "c": "1"}


def test_an_answer_to_another_response_changes_nothing() -> None:
    proxy = _proxy(_snapshot(cds_a="1"))
    proxy.ask(CLUSTER)
    (response,) = proxy.session.responses()
    stale = discovery_pb2.DeltaDiscoveryRequest(type_url=CLUSTER, response_nonce="stale")
    proxy.session.receive(stale)
    assert proxy.session.pending() == ("a",)
    proxy.answer(response)
    assert proxy.session.pending() == ()


def test_a_type_that_is_not_served_is_ignored() -> None:
    proxy = _proxy(_snapshot(cds_a="1"))
    proxy.ask("type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment", "x")
    assert list(proxy.session.responses()) == []


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_is_served(kind: str) -> None:
    snapshot = Snapshot.of("mesh", "p", [Resource("x", "1", AnyMessage(type_url=kind))])
    proxy = _proxy(snapshot)
    proxy.ask(kind, *(() if kind in {CLUSTER, LISTENER} else ("x",)))
    proxy.run()
    assert proxy.got == [(kind, ("x",), ())]


def test_scopes_come_after_listeners_and_before_routes_and_go_before_clusters() -> None:
    proxy = _proxy(_snapshot(cds_a="1", lds_a="1", srds_a="1", srds_b="1", rds_a="1"))
    for kind in (ROUTES, SCOPES, LISTENER, CLUSTER):
        proxy.ask(kind, *(["a"] if kind == ROUTES else []))
    proxy.got.clear()
    proxy.session.aim(_snapshot("p2", cds_a="2", cds_b="1", lds_a="2", srds_a="2", srds_b="1", rds_a="2"), remove=True)
    proxy.run()
    assert [kind for kind, _, _ in proxy.got if kind != ROUTES] == [CLUSTER, LISTENER, SCOPES]
    proxy.got.clear()
    proxy.session.aim(_snapshot("p3", cds_a="2", lds_a="2", srds_a="2", rds_a="2"), remove=True)
    proxy.run()
    assert proxy.got == [(SCOPES, (), ("b",)), (CLUSTER, (), ("b",))]


def test_scopes_stay_while_none_are_wanted_and_are_sent_again_when_some_are() -> None:
    scoped = _snapshot(lds_a="1", srds_a="1")
    proxy = _proxy(scoped)
    proxy.ask(LISTENER)
    proxy.ask(SCOPES)
    proxy.run()
    proxy.got.clear()
    proxy.session.aim(_snapshot("p2", lds_a="2"), remove=True)
    proxy.run()
    assert proxy.got == [(LISTENER, ("a",), ())]
    assert proxy.session.settled()
    proxy.session.aim(scoped, remove=True)
    proxy.got.clear()
    proxy.run()
    assert proxy.got == [(LISTENER, ("a",), ()), (SCOPES, ("a",), ())]


def test_a_proxy_that_reconnects_is_not_sent_the_scopes_it_has() -> None:
    proxy = _proxy(None)
    proxy.ask(SCOPES, a="1")
    proxy.session.aim(_snapshot(srds_a="1"), remove=True)
    proxy.run()
    assert proxy.got == []


def test_a_refusal_of_what_is_not_wanted_any_more_is_no_refusal() -> None:
    """The other proxy refused first, and the plan was taken back while this one still looked at its part."""
    good = _snapshot(lds_a="1")
    proxy = _proxy(good)
    proxy.ask(LISTENER)
    proxy.run()
    proxy.session.aim(_snapshot("p2", lds_a="bad"), remove=True)
    (response,) = proxy.session.responses()
    proxy.session.aim(good, remove=True)
    proxy.refuse = {"a"}
    proxy.answer(response)
    assert proxy.session.rejections() == ()
    assert proxy.session.settled()
    assert list(proxy.session.responses()) == []
