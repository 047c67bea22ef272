"""One file a widget, fed by plain data; no input or output of its own."""
