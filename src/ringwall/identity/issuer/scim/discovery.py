"""What the server can do (RFC 7643, sections 5 to 7; RFC 7644, section 4; RFC 9865, section 4)."""

from typing import Any, Final

from ringwall.identity.issuer.scim.attributes import COMMON, ENTERPRISE, GROUP_TYPE, Attribute, ResourceType
from ringwall.identity.issuer.scim.bulk import MAX_OPERATIONS
from ringwall.identity.issuer.scim.query import DEFAULT_RESULTS, LIST, MAX_RESULTS

MAX_BODY: Final = 524_288
"""Of any request: a group's members by the thousand."""
_CORE: Final = "urn:ietf:params:scim:schemas:core:2.0:"


def service_provider_config(base: str) -> dict[str, Any]:
    """Return the configuration, which says honestly what there is not."""
    return {
        "schemas": [f"{_CORE}ServiceProviderConfig"],
        "patch": {"supported": True},
        "bulk": {"supported": True, "maxOperations": MAX_OPERATIONS, "maxPayloadSize": MAX_BODY},
        "filter": {"supported": True, "maxResults": MAX_RESULTS},
        "changePassword": {"supported": True},
        "sort": {"supported": True},
        "etag": {"supported": True},
        "pagination": {
            "cursor": True,
            "index": True,
            "defaultPaginationMethod": "index",
            "defaultPageSize": DEFAULT_RESULTS,
            "maxPageSize": MAX_RESULTS,
        },
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "OAuth 2.0",
                "description": "An access token of this issuer (RFC 6750, RFC 9449)",
                "specUri": "https://www.rfc-editor.org/info/rfc6750",
                "primary": True,
            }
        ],
        "meta": {"resourceType": "ServiceProviderConfig", "location": f"{base}/ServiceProviderConfig"},
    }


def resource_types(users: ResourceType, base: str) -> dict[str, dict[str, Any]]:
    """Return the types by their names."""
    found = {}
    for each in (users, GROUP_TYPE):
        found[each.name] = {
            "schemas": [f"{_CORE}ResourceType"],
            "id": each.name,
            "name": each.name,
            "endpoint": each.path,
            "schema": each.schema,
            "schemaExtensions": [{"schema": ENTERPRISE, "required": False}] if each.extension else [],
            "meta": {"resourceType": "ResourceType", "location": f"{base}/ResourceTypes/{each.name}"},
        }
    return found


def schemas(users: ResourceType, base: str) -> dict[str, dict[str, Any]]:
    """Return the schemas by their URNs."""
    found = {
        users.schema: _schema(users.schema, "User", "An account", users.attributes, base),
        GROUP_TYPE.schema: _schema(GROUP_TYPE.schema, "Group", "A group of accounts", GROUP_TYPE.attributes, base),
    }
    if users.extension:
        told = _schema(ENTERPRISE, "EnterpriseUser", "What policies may read of it", users.extension, base)
        found[ENTERPRISE] = told
    return found


def _schema(urn: str, name: str, description: str, attributes: tuple[Attribute, ...], base: str) -> dict[str, Any]:
    return {
        "schemas": [f"{_CORE}Schema"],
        "id": urn,
        "name": name,
        "description": description,
        "attributes": [attribute.told() for attribute in attributes if attribute.name not in COMMON],
        "meta": {"resourceType": "Schema", "location": f"{base}/Schemas/{urn}"},
    }


def listing(resources: list[dict[str, Any]]) -> dict[str, Any]:
    """Return all of something as a list."""
    return {
        "schemas": [LIST],
        "totalResults": len(resources),
        "startIndex": 1,
        "itemsPerPage": len(resources),
        "Resources": resources,
    }
