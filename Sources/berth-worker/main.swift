// Replaced by the worker.
print("")
