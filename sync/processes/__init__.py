"""More than one process for the heavy part of a launch: Python runs one thread at a time, a pod may have more processors."""
