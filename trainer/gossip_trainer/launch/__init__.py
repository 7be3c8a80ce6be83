"""Running a whole job on this machine: processes, their faults, and what the user sees."""
