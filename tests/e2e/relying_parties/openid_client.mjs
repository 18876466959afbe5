// What openid-client does by itself, as its documentation says; each scenario is one feature of the issuer.
import * as client from 'openid-client'
import * as jose from 'jose'
import { run, visit } from './person.mjs'

const key = async (jwk, alg) => ({
  key: await crypto.subtle.importKey(
    'jwk', jwk, alg === 'PS256' ? { name: 'RSA-PSS', hash: 'SHA-256' } : { name: 'ECDSA', namedCurve: 'P-256' },
    false, ['sign'],
  ),
  kid: jwk.kid,
})

const discover = (setup, { id, secret }, auth) => client.discovery(new URL(setup.issuer), id, secret, auth)

const begin = async (setup, more = {}) => {
  const verifier = client.randomPKCECodeVerifier()
  return {
    checks: {
      pkceCodeVerifier: verifier,
      expectedState: client.randomState(),
      expectedNonce: client.randomNonce(),
      idTokenExpected: true,
    },
    parameters(checks) {
      return {
        redirect_uri: setup.callback,
        scope: 'openid profile',
        code_challenge: this.challenge,
        code_challenge_method: 'S256',
        state: checks.expectedState,
        nonce: checks.expectedNonce,
        ...more,
      }
    },
    challenge: await client.calculatePKCECodeChallenge(verifier),
  }
}

const signIn = async (setup, config, { build, more, options } = {}) => {
  const began = await begin(setup, more)
  const parameters = began.parameters(began.checks)
  const url = build ? await build(parameters) : client.buildAuthorizationUrl(config, parameters)
  const back = await visit(url)
  return client.authorizationCodeGrant(config, back, began.checks, undefined, options)
}

const signer = async (setup, client_ = setup.signer, alg = 'ES256') =>
  discover(setup, client_, client.PrivateKeyJwt(await key(client_.jwk, alg)))

await run({
  async discovery(setup) {
    const config = await discover(setup, setup.portal)
    return { issuer: config.serverMetadata().issuer, pkce: config.serverMetadata().supportsPKCE() }
  },

  async discovery_as_oauth(setup) {
    const config = await client.discovery(new URL(setup.issuer), 'x', undefined, undefined, { algorithm: 'oauth2' })
    return { issuer: config.serverMetadata().issuer }
  },

  async code(setup) {
    const config = await discover(setup, setup.portal)
    client.enableNonRepudiationChecks(config)
    const tokens = await signIn(setup, config)
    const about = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub)
    return { sub: about.sub, name: about.preferred_username, nonce: typeof tokens.claims().nonce }
  },

  async secret_in_the_form(setup) {
    const config = await discover(setup, setup.portal, client.ClientSecretPost(setup.portal.secret))
    return { sub: (await signIn(setup, config)).claims().sub }
  },

  async secret_by_basic(setup) {
    const config = await discover(setup, setup.portal, client.ClientSecretBasic(setup.portal.secret))
    return { sub: (await signIn(setup, config)).claims().sub }
  },

  async public_client(setup) {
    const config = await discover(setup, setup.spa, client.None())
    return { sub: (await signIn({ ...setup, callback: setup.spa.callback }, config)).claims().sub }
  },

  async step_up(setup) {
    const config = await discover(setup, setup.portal)
    const tokens = await signIn(setup, config, { more: { max_age: '10', prompt: 'login' } })
    return { fresh: Date.now() / 1000 - tokens.claims().auth_time < 60 }
  },

  async refresh(setup) {
    const config = await discover(setup, setup.portal)
    const first = await signIn(setup, config)
    const second = await client.refreshTokenGrant(config, first.refresh_token)
    return {
      rotated: first.refresh_token !== second.refresh_token,
      same: first.claims().sub === second.claims().sub,
    }
  },

  async client_credentials(setup) {
    const config = await discover(setup, setup.batch)
    const tokens = await client.clientCredentialsGrant(config, { scope: 'jobs:run' })
    return { type: tokens.token_type, scope: tokens.scope, seconds: tokens.expiresIn() }
  },

  async introspection_and_revocation(setup) {
    const config = await discover(setup, setup.batch)
    const tokens = await client.clientCredentialsGrant(config)
    const before = await client.tokenIntrospection(config, tokens.access_token)
    await client.tokenRevocation(config, tokens.access_token)
    const after = await client.tokenIntrospection(config, tokens.access_token)
    return { before: before.active, client: before.client_id, after: after.active }
  },

  async private_key_jwt(setup) {
    return { sub: (await signIn(setup, await signer(setup))).claims().sub }
  },

  async par(setup) {
    const config = await signer(setup)
    const build = (parameters) => client.buildAuthorizationUrlWithPAR(config, parameters)
    return { sub: (await signIn(setup, config, { build })).claims().sub }
  },

  async jar(setup) {
    const config = await signer(setup)
    const { key: signing, kid } = await key(setup.signer.jwk)
    const build = (parameters) => client.buildAuthorizationUrlWithJAR(config, parameters, { key: signing, kid })
    return { sub: (await signIn(setup, config, { build })).claims().sub }
  },

  // Encryption of requests is not openid-client's own: jose does it, from the same author.
  async encrypted(setup) {
    const config = await signer(setup, setup.sealer)
    const own = await crypto.subtle.importKey(
      'jwk', setup.sealer.reader, { name: 'ECDH', namedCurve: 'P-256' }, false, ['deriveBits'],
    )
    client.enableDecryptingResponses(config, ['A256GCM'], { key: own, alg: 'ECDH-ES+A256KW', kid: 'reader-1' })
    const { key: signing, kid } = await key(setup.sealer.jwk)
    const published = await (await fetch(config.serverMetadata().jwks_uri)).json()
    const subs = []
    for (const alg of config.serverMetadata().request_object_encryption_alg_values_supported) {
      const theirs = published.keys.find((each) => each.use === 'enc' && each.alg === alg)
      const build = async (parameters) => {
        const url = await client.buildAuthorizationUrlWithJAR(config, parameters, { key: signing, kid })
        const sealed = await new jose.CompactEncrypt(new TextEncoder().encode(url.searchParams.get('request')))
          .setProtectedHeader({ alg, enc: 'A128CBC-HS256', kid: theirs.kid, cty: 'oauth-authz-req+jwt' })
          .encrypt(await jose.importJWK(theirs))
        url.searchParams.set('request', sealed)
        return url
      }
      const tokens = await signIn(setup, config, { build })
      const about = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub)
      const told = await client.tokenIntrospection(config, tokens.refresh_token)
      subs.push([tokens.id_token.split('.').length, tokens.claims().sub, about.name, told.active])
    }
    return { subs }
  },

  async dpop(setup) {
    const config = await discover(setup, setup.spa, client.None())
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
    const bound = { ...setup, callback: setup.spa.callback }
    const tokens = await signIn(bound, config, { options: { DPoP } })
    const about = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub, { DPoP })
    const fresh = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP })
    const stolen = await client
      .fetchUserInfo(config, tokens.access_token, tokens.claims().sub)
      .then(() => 'taken', () => 'refused')
    return { type: tokens.token_type, sub: about.sub, fresh: fresh.token_type, stolen }
  },

  async bound_tokens_at_a_service(setup) {
    const config = await discover(setup, setup.spa, client.None())
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
    const tokens = await signIn({ ...setup, callback: setup.spa.callback }, config, { options: { DPoP } })
    const url = new URL('/bin/headers', setup.issuer)
    const answer = await client.fetchProtectedResource(
      config, tokens.access_token, url, 'GET', undefined, undefined, { DPoP },
    )
    return { status: answer.status }
  },

  async device(setup) {
    const config = await discover(setup, setup.tv, client.None())
    const waiting = await client.initiateDeviceAuthorization(config, { scope: 'openid profile' })
    const polled = client.pollDeviceAuthorizationGrant(config, waiting)
    await visit(waiting.verification_uri_complete)
    const tokens = await polled
    return { sub: tokens.claims().sub }
  },

  async logout(setup) {
    const config = await discover(setup, setup.portal)
    const tokens = await signIn(setup, config)
    const url = client.buildEndSessionUrl(config, {
      id_token_hint: tokens.id_token,
      post_logout_redirect_uri: setup.after,
      state: 'bye',
    })
    return { back: String(await visit(url)) }
  },

  async registration(setup) {
    const config = await client.dynamicClientRegistration(
      new URL(setup.issuer),
      { client_name: 'Tea shop', redirect_uris: [setup.registered], scope: 'openid profile' },
      client.ClientSecretBasic(),
      { initialAccessToken: setup.initial_access_token },
    )
    const tokens = await signIn({ ...setup, callback: setup.registered }, config)
    return { id: config.clientMetadata().client_id, sub: tokens.claims().sub }
  },

  async wrong_issuer(setup) {
    const config = await discover(setup, setup.portal)
    const began = await begin(setup)
    const back = await visit(client.buildAuthorizationUrl(config, began.parameters(began.checks)))
    back.searchParams.set('iss', 'https://evil.example')
    return client.authorizationCodeGrant(config, back, began.checks).then(
      () => ({ mixed: 'up' }), (error) => ({ refused: error.code }),
    )
  },
})
