"""Pure passes from Blueprint to Plan; Cedar becomes CEL here."""
