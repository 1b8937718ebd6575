"""Everything that knows HTTP, tokens and Google's answers. Its door is `sync.account.Account`.

Bottom up: `transport` (one exchange) < `credentials`, `tokens` (who asks) < `classify`, `retry`, `rate` (what a refusal
means and what to do) < `client` (one question, answered or refused for good) < `answers`, `pages` (rows of a whole
cell) < `account` (the port).
"""
