"""Cedar policies → what Envoy enforces by itself, or a trip to the decision point where that is not possible.

Reading order: `compiler` (one hop of one operation), `fold` (an expression with everything known
put in), the modules named after Cedar constructs (`like`, `sets`, `membership`, ...), `guard` (presence
and type of all that is read), `cases` (formula → native predicates and CEL).
"""
