"""Stores: where accounts, their states and the events are kept."""
