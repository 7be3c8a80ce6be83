"""One web page about one run, several runs or a comparison: a file that needs nothing else."""
