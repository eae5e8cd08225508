"""SLURM: submit, run inside an allocation or on jobs of workers, stop in time, go on."""
