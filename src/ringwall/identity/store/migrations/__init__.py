"""How an older database becomes a current one, and how the tables look as SQL. Imports SQLAlchemy and Alembic."""
