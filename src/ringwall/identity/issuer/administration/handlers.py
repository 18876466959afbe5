"""Every operation with what carries it out. Imported when somebody first administers: the schemas take long to make."""

from ringwall.identity.issuer.administration.clients import ClientAdministration
from ringwall.identity.issuer.administration.escalation import Escalation
from ringwall.identity.issuer.administration.events import EventAdministration
from ringwall.identity.issuer.administration.groups import GroupAdministration
from ringwall.identity.issuer.administration.invitations import InvitationAdministration
from ringwall.identity.issuer.administration.keys import KeyAdministration
from ringwall.identity.issuer.administration.openapi import Description
from ringwall.identity.issuer.administration.revocations import RevocationAdministration
from ringwall.identity.issuer.administration.roles import RoleAdministration
from ringwall.identity.issuer.administration.routes import Handler
from ringwall.identity.issuer.administration.sessions import SessionAdministration
from ringwall.identity.issuer.administration.users import UserAdministration
from ringwall.identity.issuer.context import IssuerContext


def handlers(context: IssuerContext, escalation: Escalation) -> dict[str, Handler]:
    """Return what carries out each operation, by its name."""
    return {
        **Description(context).handlers(),
        **UserAdministration(context, escalation).handlers(),
        **InvitationAdministration(context, escalation).handlers(),
        **RoleAdministration(context, escalation).handlers(),
        **GroupAdministration(context, escalation).handlers(),
        **ClientAdministration(context, escalation).handlers(),
        **SessionAdministration(context, escalation).handlers(),
        **KeyAdministration(context).handlers(),
        **EventAdministration(context).handlers(),
        **RevocationAdministration(context, escalation).handlers(),
    }
