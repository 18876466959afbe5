"""What `ringwall up` and `ringwall status` say of the edge."""

from pathlib import Path

import pytest
from tests.support.enforce_plans import bindings, plan, service

from ringwall.cli.describe import listeners_of


@pytest.mark.parametrize("http3", [False, True])
def test_http3_is_told_where_it_is_offered(tmp_path: Path, *, http3: bool) -> None:
    made = plan()
    assert made.edge is not None
    made = made.model_copy(update={"edge": made.edge.model_copy(update={"http3": http3})})
    (edge,) = (row for row in listeners_of(made, bindings(made, tmp_path, lambda: 1)) if row[0] == "edge")
    assert ("HTTP/3" in edge[2]) is http3


def test_each_process_of_the_issuer_has_its_address(tmp_path: Path) -> None:
    made = plan(service("ringwall-issuer", builtin=True, prefix="/auth"))
    where = bindings(made, tmp_path, lambda: 1).model_copy(update={"issuers": (0, 4)})
    (row,) = (row for row in listeners_of(made, where) if row[0] == "ringwall-issuer")
    assert row[2].endswith(f"processes at unix:{where.issuer()}, unix:{where.issuer(4)}")
