"""The commands of `wherry-runtime`: words to requests, results to text, and nothing else."""
