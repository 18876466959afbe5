// What a native application does with AppAuth-JS: discovery, PKCE, code, refresh, revocation.
import './extensions.mjs'
import { run, visit } from './person.mjs'

const appauth = await import('@openid/appauth/built/src/index.js')
const { NodeCrypto } = await import('@openid/appauth/built/src/node_support/crypto_utils.js')
const { NodeRequestor } = await import('@openid/appauth/built/src/node_support/node_requestor.js')

class Handler extends appauth.AuthorizationRequestHandler {
  url(configuration, request) {
    return this.buildRequestUrl(configuration, request)
  }
}

await run({
  async code(setup) {
    const requestor = new NodeRequestor()
    const configuration = await appauth.AuthorizationServiceConfiguration.fetchFromIssuer(setup.issuer, requestor)
    const request = new appauth.AuthorizationRequest({
      client_id: setup.tv.id,
      redirect_uri: setup.tv.callback,
      scope: 'openid profile',
      response_type: appauth.AuthorizationRequest.RESPONSE_TYPE_CODE,
    }, new NodeCrypto(), true)
    await request.setupCodeVerifier()
    const handler = new Handler(new appauth.BasicQueryStringUtils(), new NodeCrypto())
    const back = await visit(handler.url(configuration, request))
    if (back.searchParams.get('state') !== request.state) throw new Error('another state')
    const tokens = new appauth.BaseTokenRequestHandler(requestor)
    const ask = (fields) => tokens.performTokenRequest(configuration, new appauth.TokenRequest({
      client_id: setup.tv.id, redirect_uri: setup.tv.callback, ...fields,
    }))
    const first = await ask({
      grant_type: appauth.GRANT_TYPE_AUTHORIZATION_CODE,
      code: back.searchParams.get('code'),
      extras: { code_verifier: request.internal.code_verifier },
    })
    const second = await ask({ grant_type: appauth.GRANT_TYPE_REFRESH_TOKEN, refresh_token: first.refreshToken })
    const revoked = await tokens.performRevokeTokenRequest(configuration, new appauth.RevokeTokenRequest({
      client_id: setup.tv.id, token: second.refreshToken,
    })).then(() => true, () => false)
    return { id_token: Boolean(first.idToken), rotated: first.refreshToken !== second.refreshToken, revoked }
  },
})
