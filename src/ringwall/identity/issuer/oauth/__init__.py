"""The issuer's public endpoints, one module each. `ringwall.identity.issuer.app` puts them under their paths."""
