"""A real Kubernetes on one Linux machine, for development, tests and the demo; no part of the product.

`python -m devcluster --help` is the way in by hand, `devcluster.api` the one for tests; README.md tells both.

    cli, api -> cluster -> controlplane, node, remove -> processes, ports, pki, build, tools, ...
                              \\-> flags, manifests, recipe, stages: pure, rendered from frozen values
"""
