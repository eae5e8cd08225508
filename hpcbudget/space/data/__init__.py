"""Outlines and lists of the shipped region sets; PROVENANCE.md says where they come from."""
