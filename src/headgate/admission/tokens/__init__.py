"""Tokens of an identity provider (JWT) in place of keys: whose they are and what they may, without asking anybody."""
