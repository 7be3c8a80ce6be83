"""What the Helm chart has from elsewhere, written into it; needed to develop, not to run."""
