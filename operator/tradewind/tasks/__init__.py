"""Programs that run inside task pods. They use the standard library only, so that they start fast and need nothing
else."""
