"""Averaging the live workers' models from outside and testing the average."""
