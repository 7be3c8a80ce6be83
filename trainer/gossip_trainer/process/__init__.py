"""The processes of a job, as a container or the local launcher starts them."""
