"""From access logs to decision events; search and explanation."""
