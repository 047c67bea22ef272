"""The workload of a run: its declaration, and the models, trainings and data that it names."""
