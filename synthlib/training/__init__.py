"""The parts of training: targets, the fine-tuned classifier and its steps, checkpoints, baselines."""
