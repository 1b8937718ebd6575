"""How fast Google may be asked: budgets per property, identity and project, shared by every Job that runs.

names (what a budget belongs to) < shares, bucket, learning, pace (pure: state and now in, decision out) < port (the
table they live in) < limiter (what a launch asks before each request). `circuit` is the pure breaker, `guard` lends it
to threads. The table itself is `sync.store.quota` in Postgres or `sync.quota.memory`.
"""
