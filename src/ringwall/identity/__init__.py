"""The issuer of tokens, and the workload CA with the SPIFFE Workload API."""
