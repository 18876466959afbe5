"""Every page and form of an account."""

from starlette.routing import Route

from ringwall.identity.issuer.account.authenticator_app import AuthenticatorAppPage
from ringwall.identity.issuer.account.connections import Connections
from ringwall.identity.issuer.account.door import SET_UP, Door
from ringwall.identity.issuer.account.overview import OverviewPage
from ringwall.identity.issuer.account.passkeys import PasskeysPage
from ringwall.identity.issuer.account.password import PasswordPage
from ringwall.identity.issuer.account.providers import AccountProviders
from ringwall.identity.issuer.account.set_up import SetUpPage
from ringwall.identity.issuer.upstream_sign_out import UpstreamSignOut


def account_routes(door: Door, providers: AccountProviders, elsewhere: UpstreamSignOut) -> list[Route]:
    """Return them all."""
    password, passkeys, app = PasswordPage(door), PasskeysPage(door), AuthenticatorAppPage(door)
    connections, set_up = Connections(door, elsewhere), SetUpPage(door)
    return [
        Route("/account", OverviewPage(door, providers, elsewhere).get, methods=["GET"]),
        Route("/account/password", password.get, methods=["GET"]),
        Route("/account/password", password.post, methods=["POST"]),
        Route("/account/password/remove", password.remove, methods=["POST"]),
        Route("/account/passkeys", passkeys.get, methods=["GET"]),
        Route("/account/passkeys", passkeys.post, methods=["POST"]),
        Route("/account/passkeys/remove", passkeys.remove, methods=["POST"]),
        Route("/account/passkeys/rename", passkeys.ask_name, methods=["GET"]),
        Route("/account/passkeys/rename", passkeys.rename, methods=["POST"]),
        Route("/account/app", app.get, methods=["GET"]),
        Route("/account/app", app.post, methods=["POST"]),
        Route("/account/app/remove", app.remove, methods=["POST"]),
        Route("/account/recovery-codes", app.new_codes, methods=["POST"]),
        Route("/account/providers/connect", providers.connect, methods=["POST"]),
        Route("/account/providers/disconnect", providers.disconnect, methods=["POST"]),
        Route("/account/providers/{name}", providers.begin, methods=["GET"]),
        Route("/account/sessions/end", connections.end_session, methods=["POST"]),
        Route("/account/clients/end", connections.end_client, methods=["POST"]),
        Route("/account/consents/withdraw", connections.withdraw, methods=["POST"]),
        Route("/account/sign-out-everywhere", connections.sign_out_everywhere, methods=["POST"]),
        Route(SET_UP, set_up.get, methods=["GET"]),
        Route(SET_UP, set_up.post, methods=["POST"]),
    ]
