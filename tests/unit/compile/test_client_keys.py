"""Keys of clients in a blueprint become the JWK set by which the issuer verifies their assertions."""

from ringwall.blueprint.files import MemoryFiles
from ringwall.compile.planner import plan_files
from ringwall.identity.tokens.keys import KeySet
from ringwall.identity.tokens.signing import SigningKey

BLUEPRINT = """
ringwall: 1
system: shop
clients:
  robot: {{jwks: [{{{members}}}]}}
  batch: {{}}
services:
  app:
    listen: unix:run/app.sock
    operations: [GET /]
"""


def test_they_are_taken_as_they_are_written() -> None:
    key = SigningKey.generate()
    members = ", ".join(f'{name}: "{value}"' for name, value in key.public_jwk().items())
    plan = plan_files(MemoryFiles({"ringwall.yaml": BLUEPRINT.format(members=members)})).plan
    clients = {client.name: client for client in plan.clients}
    assert [each.kid for each in KeySet.parse(clients["robot"].jwks).keys] == [key.kid]
    assert clients["batch"].jwks == ""
