"""Driving the program as a person does: the app, its screens as text, and real terminals."""
