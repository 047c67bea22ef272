"""Properties that hold for whatever a file says, tried with inputs that hypothesis makes up."""
