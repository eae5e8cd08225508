#!/bin/bash
# hpcbudget, one job for the whole run: driver and dask scheduler in task 0, workers on every node.
# Out of time, requeued or killed, it goes on from what the ledger in OUT holds.
#SBATCH --job-name=hpcbudget-budget-2024
#SBATCH --partition=compute
#SBATCH --account=my-project
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=4
#SBATCH --no-kill
#SBATCH --mem=7628M
#SBATCH --time=01:00:00
#SBATCH --output=/scratch/me/budget-2024/slurm/allocation-%j.log
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=USR1@120

set -u
# your group may read what this run writes, others may not; keys are for you alone
umask 027
# one thread a worker: there are as many workers as cores
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1

OUT=/scratch/me/budget-2024

# task 0 leaves its own exit status here: that of srun also counts nodes that were lost
ended=$OUT/slurm/$SLURM_JOB_ID.status
rm -f "$ended"

srun --kill-on-bad-exit=0 --no-kill --cpus-per-task=4 \
    python -m hpcbudget.cli run /home/me/budget-2024.yaml --out "$OUT" --data /data/fluxes \
    --cluster allocation --workers 16 --site /scratch/me/budget-2024/slurm/site.yaml
status=$?
[ -s "$ended" ] && status=$(<"$ended")

# 75: stopped in time with blocks left. Go on from the ledger in a new turn of the queue.
restarts=${HPCBUDGET_RESTARTS:-${SLURM_RESTART_COUNT:-0}}
if [ "$status" = 75 ] && [ "$restarts" -ge 20 ]; then
    echo "restarted $restarts times already (max_restarts of the site profile): submit again to go on"
elif [ "$status" = 75 ]; then
    if scontrol requeue "$SLURM_JOB_ID"; then
        sleep 60   # SLURM ends this script and starts it anew when its turn comes
    else
        echo "SLURM does not requeue this job (again: chain in the site profile): submit again to go on"
    fi
fi
exit "$status"
