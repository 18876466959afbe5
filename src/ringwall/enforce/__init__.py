"""From a Plan to Envoy resources, and the xDS server that delivers them."""
