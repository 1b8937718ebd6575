module gsc-sync-operator/tests/probe

go 1.26.0
