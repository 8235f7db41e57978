"""Training: recipes made of phases, one generic loop, checkpoints, and the worker that runs them detached."""
