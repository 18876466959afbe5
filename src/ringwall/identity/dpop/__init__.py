"""Demonstrating Proof of Possession (RFC 9449): proofs and the nonces they must carry. No I/O, no framework.

Whoever asks, the issuer or the edge, adds what needs a memory: that a proof is taken once (section 11.1).
"""
