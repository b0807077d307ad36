"""Exchanges: what is read from a file of rules, and where each message goes by them."""
