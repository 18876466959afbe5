"""Stage 1: `ringwall.yaml`, Cedar files and OpenAPI contracts become a `Blueprint`.

Every value keeps the place it was written at, so that each later finding can point there. Reading order: `files`
(what may be read), `document` (bytes to a tree with positions), `shape` (what a tree may look like), `format`
(the table of every key of the blueprint), `model` (what comes out), `contract` and `operations`, `checks_*`, `load`.
"""
