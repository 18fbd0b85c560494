"""Programs that run inside task pods. Standard library only: they start fast and need nothing else."""
