"""The operator's groups."""

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.support.issuer_plan import issuer_plan
from tests.support.issuer_world import IssuerWorld, ask

from ringwall.plan.model import Role


def test_the_operator_makes_fills_renames_and_deletes_a_group(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path, plan=issuer_plan(roles=(Role(name="clerk"), Role(name="admin"))))

    async def asked(method: str, path: str, body: Any = None, *, status: int = 200) -> dict[str, Any]:
        response = await ask(world.admin, method, path, content=None if body is None else json.dumps(body))
        assert response.status_code == status, response.text
        return dict(response.json())

    async def run() -> None:
        await world.new_account("ann", "correct horse battery staple")
        assert await asked("GET", "/groups") == {"groups": [], "next": None}
        made = await asked("POST", "/groups", {"name": "ward/7", "roles": ["clerk"], "managed_by": "hr"})
        assert (made["name"], made["roles"], made["managed_by"], made["size"]) == ("ward/7", ["clerk"], "hr", 0)
        refused: list[Any] = [{"name": "x", "roles": ["root"]}, {"roles": []}, {"name": "WARD/7"}, {"name": ""}]
        for wrong in refused:
            await asked("POST", "/groups", wrong, status=400)
        await asked("PATCH", "/groups/ward%2F7", {"give_roles": ["root"]}, status=400)
        await asked("PATCH", "/groups/ward%2F7", {"add": ["nobody"]}, status=400)
        changes = {
            "name": "Ward 7",
            "give_roles": ["admin"],
            "take_roles": ["clerk"],
            "add": ["ANN"],
            "managed_by": "",
        }
        told = await asked("PATCH", "/groups/ward%2F7", changes)
        assert (told["name"], told["roles"], told["managed_by"], told["size"]) == ("Ward 7", ["admin"], "", 1)
        shown = await asked("GET", "/groups/ward%207")
        assert shown["members"] == [{"user_name": "ann", "display_name": ""}]
        ann = await asked("GET", "/users/ann")
        assert (ann["groups"], ann["roles"], ann["effective_roles"]) == (["Ward 7"], [], ["admin"])
        told = await asked("PATCH", "/users/ann", {"take_groups": ["ward 7"], "managed_by": "hr"})
        assert (told["groups"], told["managed_by"]) == ([], "hr")
        await asked("PATCH", "/users/ann", {"give_groups": ["none"]}, status=400)
        await asked("POST", "/users", {"user_name": "bob", "groups": ["none"]}, status=400)
        await asked("DELETE", "/groups/Ward%207")
        await asked("GET", "/groups/Ward%207", status=400)
        world.context.people.close()
        await world.context.storage.close()

    asyncio.run(run())
