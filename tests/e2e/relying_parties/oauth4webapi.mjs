// What oauth4webapi does step by step: each answer is checked by it before the next request.
import * as oauth from 'oauth4webapi'
import { run, visit } from './person.mjs'

const discover = async ({ issuer }, algorithm = 'oidc') => {
  const url = new URL(issuer)
  return oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, { algorithm }))
}

const keyOf = async ({ jwk }) => ({
  key: await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']),
  kid: jwk.kid,
})

/** Do something again with the nonce that the server wants in proofs, once. */
const withNonce = async (ask) => ask().catch((error) => {
  if (!oauth.isDPoPNonceError(error)) throw error
  return ask()
})

const signIn = async (setup, as, client, auth, { pushed = false, DPoP, scope = 'openid profile' } = {}) => {
  const [verifier, state, nonce] = [
    oauth.generateRandomCodeVerifier(), oauth.generateRandomState(), oauth.generateRandomNonce(),
  ]
  let parameters = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: setup.callback,
    response_type: 'code',
    scope,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  })
  if (pushed) {
    const answer = await withNonce(async () => oauth.processPushedAuthorizationResponse(
      as, client, await oauth.pushedAuthorizationRequest(as, client, auth, parameters, { DPoP }),
    ))
    parameters = new URLSearchParams({ client_id: client.client_id, request_uri: answer.request_uri })
  }
  const back = await visit(`${as.authorization_endpoint}?${parameters}`)
  const given = oauth.validateAuthResponse(as, client, back, state)
  const ask = async () => oauth.processAuthorizationCodeResponse(
    as, client,
    await oauth.authorizationCodeGrantRequest(as, client, auth, given, setup.callback, verifier, { DPoP }),
    { expectedNonce: nonce, requireIdToken: true },
  )
  const tokens = await withNonce(ask)
  return { tokens, claims: oauth.getValidatedIdTokenClaims(tokens) }
}

const userinfo = async (as, client, { tokens, claims }, DPoP) => {
  const ask = async () => oauth.processUserInfoResponse(
    as, client, claims.sub, await oauth.userInfoRequest(as, client, tokens.access_token, { DPoP }),
  )
  return withNonce(ask)
}

const refresh = (as, client, auth, tokens, DPoP) => withNonce(async () => oauth.processRefreshTokenResponse(
  as, client, await oauth.refreshTokenGrantRequest(as, client, auth, tokens.refresh_token, { DPoP }),
))

const handle = async (client) => oauth.DPoP(client, await oauth.generateKeyPair('ES256'))

await run({
  async code(setup) {
    const as = await discover(setup)
    const client = { client_id: setup.portal.id }
    const auth = oauth.ClientSecretBasic(setup.portal.secret)
    const signed = await signIn(setup, as, client, auth)
    const about = await userinfo(as, client, signed)
    const fresh = await refresh(as, client, auth, signed.tokens)
    return { sub: about.sub, rotated: fresh.refresh_token !== signed.tokens.refresh_token }
  },

  async signed_introspection(setup) {
    const as = await discover(setup)
    const client = { client_id: setup.batch.id }
    const auth = oauth.ClientSecretPost(setup.batch.secret)
    const tokens = await oauth.processClientCredentialsResponse(
      as, client, await oauth.clientCredentialsGrantRequest(as, client, auth, { scope: 'jobs:run' }),
    )
    const look = async () => {
      const answer = await oauth.introspectionRequest(as, client, auth, tokens.access_token, {
        requestJwtResponse: true, headers: { accept: 'application/token-introspection+jwt' },
      })
      const kind = answer.headers.get('content-type')
      const told = await oauth.processIntrospectionResponse(as, client, answer)
      return { kind, active: told.active }
    }
    const before = await look()
    await oauth.processRevocationResponse(
      await oauth.revocationRequest(as, client, auth, tokens.access_token, {}),
    )
    const after = await look()
    return { kind: before.kind, before: before.active, after: after.active }
  },

  async device(setup) {
    const as = await discover(setup)
    const client = { client_id: setup.tv.id }
    const waiting = await oauth.processDeviceAuthorizationResponse(
      as, client, await oauth.deviceAuthorizationRequest(as, client, oauth.None(), { scope: 'openid' }),
    )
    await visit(waiting.verification_uri_complete)
    const tokens = await oauth.processDeviceCodeResponse(
      as, client, await oauth.deviceCodeGrantRequest(as, client, oauth.None(), waiting.device_code),
    )
    return { sub: oauth.getValidatedIdTokenClaims(tokens).sub }
  },

  async registration(setup) {
    const as = await discover(setup)
    const made = await oauth.processDynamicClientRegistrationResponse(
      await oauth.dynamicClientRegistrationRequest(
        as,
        { client_name: 'Tea shop', redirect_uris: [setup.registered], token_endpoint_auth_method: 'none' },
        { initialAccessToken: setup.initial_access_token },
      ),
    )
    const signed = await signIn({ ...setup, callback: setup.registered }, as, made, oauth.None())
    const removed = await fetch(made.registration_client_uri, {
      method: 'DELETE', headers: { authorization: `Bearer ${made.registration_access_token}` },
    })
    const dead = await userinfo(as, made, signed).then(() => 'taken', () => 'refused')
    return { sub: signed.claims.sub, removed: removed.status, dead }
  },

  async fapi2(setup) {
    const as = await discover(setup)
    const client = { client_id: setup.bank.id }
    const auth = oauth.PrivateKeyJwt(await keyOf(setup.bank))
    const DPoP = await handle(client)
    const signed = await signIn(setup, as, client, auth, { pushed: true, DPoP, scope: 'openid accounts' })
    const about = await userinfo(as, client, signed, DPoP)
    const fresh = await refresh(as, client, auth, signed.tokens, DPoP)
    const again = await refresh(as, client, auth, signed.tokens, DPoP)
    const unbound = await refresh(as, client, auth, signed.tokens).then(() => 'given', (e) => e.error)
    return {
      type: signed.tokens.token_type, scope: signed.tokens.scope, sub: about.sub, unbound,
      kept: fresh.refresh_token === undefined && again.access_token !== fresh.access_token,
    }
  },

  async fapi2_without_pushing(setup) {
    const as = await discover(setup)
    const client = { client_id: setup.bank.id }
    const auth = oauth.PrivateKeyJwt(await keyOf(setup.bank))
    return signIn(setup, as, client, auth).then(() => ({ let: 'in' }), () => ({ let: 'out' }))
  },
})
