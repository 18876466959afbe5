"""Cedar policies → what Envoy enforces by itself, or a trip to the decision point where that is not possible.

Reading order:

- `compiler`: one hop of one operation, for users of each issuer, guests and workloads; `place` is what is known there
- `satisfied`: one policy; `fold`: one expression. `Folder.CONSTRUCTS` leads from every Cedar construct to its module:
  `attributes`, `membership`, `compare`, `text`, `like`, `longs`, `moments`, `sets`, `network`
- `terms`, `formula`: what these return; an atom of a formula knows its native form and its CEL
- `guard`: presence and type of all that is read; `cases`: formula and guards → native matchers in front of CEL
- `cel`, `facts`, `re2`: CEL trees, where facts lie in Envoy, regular expressions within Envoy's limits
- `schema`: the vocabulary that policies are validated against
"""
