"""What the processes of a job show on `/metrics`: one module per role."""
