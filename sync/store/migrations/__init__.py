"""Schema versions, applied by `sync.store.migrate`. Expand first, contract releases later."""
