"""The vocabulary that every stage shares: identifiers, source spans, errors, clock, secrets, events."""
