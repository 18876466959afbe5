"""What people see: sign-in, consent, sign-out, errors. Usable without JavaScript; nothing comes from elsewhere."""
