"""The addresses and names that a whole cluster takes on its machine: there can be one of it at a time.

They come from the range set aside for benchmarks (RFC 2544), which no company network and no home router uses.
"""

NODE_IP = "198.19.0.1"
POD_RANGE = "198.18.0.0/16"
CLUSTER_RANGE = "198.18.0.0/15"  # nodes, pods and services together
SERVICE_RANGE = "198.19.128.0/17"
SERVICE_IP = "198.19.128.1"  # of the API server, the first of the range
DNS_IP = "198.19.128.10"
DNS_PORT = 20053  # on the node; the Service maps 53 to it, since a resolver of the machine may hold 53
SIMULATED_POD_IP = "198.19.0.9"
DOMAIN = "cluster.local"

NODE_NAME = "node1"
SIMULATED_NODE = "simulated"
NODE_BRIDGE = "gscdev-node"
POD_BRIDGE = "gscdev-pods"
OWN_TABLE = "gscdev"  # nftables: masquerading of what leaves the cluster
PROXY_TABLE = "kube-proxy"  # nftables, in ip and ip6; kube-proxy knows no other name
NETWORK = "gscdev"  # of the CNI configuration
