"""The issuer's database: what people, clients and tokens leave behind, on SQLite or PostgreSQL.

`Database.open` gives one object with a repository for each concern (`codes`, `families`, `sessions`, …). Every method
is atomic by itself, among tasks and among processes; what a second use of the same handle does is said at each.

Statements are plain SQL that both databases understand, sent straight to their drivers: through SQLAlchemy one
statement on SQLite costs 1,200 µs of CPU, and 15 µs without (measured; refreshing a token may cost 360 in all).
SQLAlchemy describes the tables (`tables.py`) and Alembic changes them (`migrations/`); neither is imported unless a
database is to be upgraded.
"""
