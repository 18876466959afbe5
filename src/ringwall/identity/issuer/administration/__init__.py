"""The administration: one API, asked over HTTP behind the edge and by the command line, under the plan's policies."""
