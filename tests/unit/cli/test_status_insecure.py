from tests.support.issuer_plan import BUILTIN, login_plan

from ringwall.cli.status import insecure
from ringwall.plan.client import Profile


def test_the_profile_for_certification_is_named_as_long_as_it_is_there() -> None:
    for profile, said in ((None, []), (Profile.FAPI2, []), (Profile.OIDC_CERTIFICATION, ["without PKCE"])):
        found = insecure(login_plan(issuers=(BUILTIN.model_copy(update={"profile": profile}),)))
        assert len(found) == len(said)
        assert all(words in line for words, line in zip(said, found, strict=True))
