#!/bin/bash
# hpcbudget, the end of a job array: all parts to fluxes, tables and report. It runs whether or not
# parts failed, and says which blocks are missing if they did.
#SBATCH --job-name=hpcbudget-budget-2024
#SBATCH --partition=compute
#SBATCH --account=my-project
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --mem=1907M
#SBATCH --time=01:00:00
#SBATCH --output=/scratch/me/budget-2024/slurm/merge-%j.log
#SBATCH --open-mode=append

set -u
# your group may read what this run writes, others may not; keys are for you alone
umask 027
# one thread a worker: there are as many workers as cores
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1

OUT=/scratch/me/budget-2024

srun --ntasks=1 --cpus-per-task=1 python -m hpcbudget.cli merge "$OUT"
