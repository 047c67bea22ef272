"""Trainings, each with its model, batches, loss, unit and evaluation, behind one interface."""
