"""What a compliance checker that nobody here wrote says of the server (scim2-tester)."""

from pathlib import Path

from scim2_client.engines.wsgi import WSGISCIMClient
from scim2_tester import Status, check_server
from tests.support.scim_world import BASE, BLUEPRINT, ScimWorld

DIFFERS = {
    "PATCH modify() did not remove attribute 'active'": "without it an account is active, which is said",
}
"""What the checker expects otherwise, and why it is not so."""


def test_the_checker_finds_nothing_wrong(tmp_path: Path) -> None:
    # The checker gives roles that `/Schemas` lists, so it must have them all.
    everything = BLUEPRINT.replace("[clinician]}", "[clinician, admin, crm, reader]}")
    world = ScimWorld(tmp_path, blueprint=everything)
    client = WSGISCIMClient(
        world.wsgi,
        base_url=BASE,
        headers={"Authorization": f"Bearer {world.hr.token}"},
    )
    results = check_server(client)
    wrong = [
        f"{r.title} {r.resource_type}: {r.reason}"
        for r in results
        if r.status is not Status.SUCCESS and r.reason not in DIFFERS
    ]
    assert not wrong, "\n".join(wrong)
    assert len(results) > 100
