"""What an operator should know of a SAML provider; nobody is asked, as its metadata is a file."""

from ringwall.identity.upstream.remark import Remark
from ringwall.plan.upstream import SamlProvider


def inspect(saml: SamlProvider, *, metadata: str) -> tuple[Remark, ...]:
    """Say what is believed of a provider, and what it needs to know.

    Args:
        saml: the provider.
        metadata: where our own metadata for it lies.
    """
    count = len(saml.certificates)
    keys = f"{count} {'key is' if count == 1 else 'keys are'} believed, whatever end the certificate has"
    told = f"it needs our metadata: {metadata}"
    return (
        Remark(wrong=False, text=keys),
        Remark(wrong=False, text=told, hint="which is there while the system runs"),
    )
