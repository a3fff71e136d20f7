"""Flower's FedAvg as it is."""
