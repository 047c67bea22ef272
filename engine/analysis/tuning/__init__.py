"""Trials and tunes, derived from the record: what each change brought, and what is to be measured next."""
