"""Builds the two images of the Containerfile into archives that containerd, docker and podman load.

`python -m images build --target runtime`. Not part of the product. The flow: `inputs` says whether anything changed,
`base` finds or makes a base image, `wheels` fetches what the virtual environment holds, `tools` builds and saves.
"""
