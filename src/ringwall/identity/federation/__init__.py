"""The public keys of every issuer of the plan, the built-in one and those of others, kept fresh.

`external_keys` holds one source for each issuer: `local` follows a file, `remote` asks by discovery (`fetch`,
`discovery`). Either gives what `key_filter` leaves over.
"""
