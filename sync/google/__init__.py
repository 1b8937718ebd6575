"""Everything that knows HTTP, tokens and Google's answers. Its door is `sync.account.Account`.

Bottom up: `transport` (one exchange) < `classify`, `classify_token` (what a refusal means) < `exchange`, `federation`,
`credentials`, `minting`, `tokens` (who asks) < `retry` (what to do about a refusal) < `client` (one question, answered or
refused for good) < `answers`, `pages` (rows of a whole cell) < `account` (the port).
"""
