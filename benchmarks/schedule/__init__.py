"""How late, how often and how dear: the operator beside built-in CronJobs on a real control plane (see README.md)."""
