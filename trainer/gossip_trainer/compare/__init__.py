"""Which strategy at which size: plans, runs and judges many jobs that differ in little else."""
