#!/bin/bash
# hpcbudget, a job array: every task does its part of the blocks, knowing nothing of the others.
# Failed parts can be submitted alone: hpcbudget submit ... --mode array --only 3,7
#SBATCH --job-name=hpcbudget-budget-2024
#SBATCH --partition=compute
#SBATCH --account=my-project
#SBATCH --array=1-16
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --nodes=1
#SBATCH --mem=1907M
#SBATCH --time=01:00:00
#SBATCH --output=/scratch/me/budget-2024/slurm/array-%A_%a.log
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=USR1@120

set -u
# your group may read what this run writes, others may not; keys are for you alone
umask 027
# one thread a worker: there are as many workers as cores
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1

OUT=/scratch/me/budget-2024

# compiled kernels on the node's own disk, in a folder that nobody else can have prepared
export HPCBUDGET_SCRATCH=$(mktemp -d "/tmp/hpcbudget-XXXXXXXX")
trap 'rm -rf "$HPCBUDGET_SCRATCH"' EXIT
export NUMBA_CACHE_DIR="$HPCBUDGET_SCRATCH/numba"
cp -r "/scratch/me/budget-2024/slurm/kernels" "$NUMBA_CACHE_DIR"
python -c "from hpcbudget.kernels import integrate, means, moments; integrate.warm(); means.warm(); moments.warm()"

srun --ntasks=1 --cpus-per-task=1 \
    python -m hpcbudget.cli run /home/me/budget-2024.yaml --out "$OUT" --data /data/fluxes --site /scratch/me/budget-2024/slurm/site.yaml \
    --part "$SLURM_ARRAY_TASK_ID/16"
status=$?
rm -rf "$HPCBUDGET_SCRATCH"

# 75: stopped in time with blocks left. Go on from the ledger in a new turn of the queue.
restarts=${HPCBUDGET_RESTARTS:-${SLURM_RESTART_COUNT:-0}}
if [ "$status" = 75 ] && [ "$restarts" -ge 20 ]; then
    echo "restarted $restarts times already (max_restarts of the site profile): submit again to go on"
elif [ "$status" = 75 ]; then
    if scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"; then
        sleep 60   # SLURM ends this script and starts it anew when its turn comes
    else
        echo "SLURM does not requeue this job (again: chain in the site profile): submit again to go on"
    fi
fi
exit "$status"
