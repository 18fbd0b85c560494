"""The process: it leads or stands by, wires its parts together, gives its figures."""
