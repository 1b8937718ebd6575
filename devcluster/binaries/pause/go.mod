module gsc-sync-operator/devcluster/pause

go 1.26.0
