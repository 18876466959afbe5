"""Stage 2: pure passes from Blueprint to Plan.

Reading order: `planner` (the whole run), `policies` (short forms, and everything that can be wrong with a policy),
`cedar` (Cedar becomes what Envoy enforces), `rules` (the operations of one service), `services`, `issuers`, `edge`.
"""
