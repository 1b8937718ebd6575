import sys

if sys.platform == "win32":
    # Half of the modules below do not even load there.
    sys.exit(
        "devcluster: the cluster needs Linux; use a cluster of your own: make demo CONTEXT=name REGISTRY=host/path"
    )

from devcluster.cli import main

if __name__ == "__main__":
    main()
