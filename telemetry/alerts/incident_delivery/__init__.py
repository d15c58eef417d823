"""Delivery of incidents: each channel that keeps them opens, updates, acknowledges and resolves each at its own pace."""
