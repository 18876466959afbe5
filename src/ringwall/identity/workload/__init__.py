"""Workload identity: the CA, X.509- and JWT-SVIDs, and the SPIFFE Workload API."""
